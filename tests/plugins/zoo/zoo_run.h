/* The job type "repeat": writes `text` `times` over into an output and answers how many bytes that were. */

static const jh_output_v1 *output(void) {
  const jh_output_v1 *table = host->get_extension(JH_EXT_OUTPUT);
  return table != NULL && table->struct_size >= sizeof(jh_output_v1) ? table : NULL;
}

static jh_result fail(jh_job *job, int32_t error_class, const char *code, const char *message) {
  jh_error error = JH_INIT(jh_error);
  error.error_class = error_class;
  error.retry_after_ms = -1;
  error.code = str(code);
  error.message = str(message);
  host->set_error(job, &error);
  return JH_E_FAILED;
}

/* A reader of the two params that is good enough for a zoo: it finds a member and answers its raw text. */
static jh_str member(jh_str json, const char *name) {
  char quoted[32];
  snprintf(quoted, sizeof(quoted), "\"%s\"", name);
  const char *end = json.data + json.len;
  const char *at = json.len > 0 ? memmem(json.data, json.len, quoted, strlen(quoted)) : NULL;
  if (at == NULL) return (jh_str){NULL, 0};
  at += strlen(quoted);
  while (at < end && (*at == ' ' || *at == ':')) ++at;
  const char *begin = at;
  if (at < end && *at == '"') {
    for (++at; at < end && *at != '"'; ++at) {
      if (*at == '\\') ++at;
    }
    ++at;
  } else {
    while (at < end && *at != ',' && *at != '}') ++at;
  }
  return (jh_str){begin, (size_t)((at < end ? at : end) - begin)};
}

static jh_result repeat(jh_job *job, const jh_output_v1 *out, jh_str text, int times) {
  jh_output *file = NULL;
  jh_result made = out->create(job, str("repeated.txt"), str("text/plain"), &file);
  if (made == JH_E_CANCELLED) return made;
  if (made != JH_OK) return fail(job, JH_CLASS_RESOURCE, "no_output", "the output cannot be made");
  for (int i = 0; i < times; ++i) {
    if (host->progress(job, i + 1, times, str("repeating")) == JH_E_CANCELLED) {
      out->abort(file);
      return JH_E_CANCELLED;
    }
    if (out->write(file, text.data, text.len) != JH_OK) {
      out->abort(file);
      return fail(job, JH_CLASS_RESOURCE, "no_room", "the output cannot be written");
    }
  }
  if (out->commit(file) != JH_OK) return fail(job, JH_CLASS_RESOURCE, "no_room", "the output cannot be finished");
  return JH_OK;
}

static jh_result JH_CALL run(jh_job *job) JH_NOEXCEPT {
  const jh_output_v1 *out = output();
  if (out == NULL) return fail(job, JH_CLASS_DENIED, "extension_missing", "jobhost.output/1 is missing");
  const jh_str params = host->params(job);
  const jh_str text = member(params, "text");
  const jh_str count = member(params, "times");
  if (text.len < 2 || text.data[0] != '"') return fail(job, JH_CLASS_BAD_INPUT, "bad_params", "text must be a string");
  const int times = count.len > 0 ? atoi(count.data) : 2;
  if (times < 1 || times > 50) return fail(job, JH_CLASS_BAD_INPUT, "bad_params", "times must be from 1 to 50");
  const jh_result done = repeat(job, out, text, times);
  if (done != JH_OK) return done;
  char result[64];
  snprintf(result, sizeof(result), "{\"bytes\": %lld}", (long long)times * (long long)text.len);
  if (host->set_result(job, str(result)) != JH_OK) return fail(job, JH_CLASS_RESOURCE, "no_result", "the result is not kept");
  return JH_OK;
}
