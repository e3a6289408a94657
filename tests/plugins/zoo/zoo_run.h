/* The job type "repeat": writes `text` `times` over into an output and answers how many bytes that were. */

static const jh_output_v1 *output(void) {
  const jh_output_v1 *table = host->get_extension(JH_EXT_OUTPUT);
#ifdef ZOO_TRUSTS_TABLES
  return table;
#endif
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

/* Whether the params are those the checker makes when the schema is all it knows: what is broken for them alone shows in
   one place. */
__attribute__((unused)) static int is_made(jh_str params) {
  static const char made[] = "{\"text\":\"text\",\"times\":2}";
  return params.len == sizeof(made) - 1 && memcmp(params.data, made, params.len) == 0;
}

__attribute__((unused)) static int has(jh_str params, const char *part) {
  return params.len > 0 && memmem(params.data, params.len, part, strlen(part)) != NULL;
}

/* What makes a job rude, before it does its work. */
static void misbehave(jh_job *job, jh_str params) {
  (void)job;
  (void)params;
#ifdef ZOO_CRASHES
  if (is_made(params)) abort();
#endif
#ifdef ZOO_HATES_UNICODE
  if (has(params, "../..\xef\xbf\xbf\xe2\x80\xae")) abort();
#endif
#ifdef ZOO_HATES_LENGTH
  if (params.len > 50000) abort();
#endif
#ifdef ZOO_HATES_WORDS
  if (has(params, "word word word") && !has(params, "no_such_param")) abort();
#endif
#ifdef ZOO_HATES_SURPRISES
  if (has(params, "word word word") && has(params, "no_such_param")) abort();
#endif
#ifdef ZOO_PRINTS
  printf("hello from run\n");
  fflush(stdout);
#endif
#ifdef ZOO_LEAKS_FILE
  if (open("/dev/zero", O_RDONLY | O_CLOEXEC) < 0) abort();
#endif
#ifdef ZOO_LEAKS_THREAD
  pthread_t thread;
  pthread_create(&thread, NULL, &sleeper, NULL);
#endif
#ifdef ZOO_LEAKS_PROCESS
  if (fork() == 0) {
    alarm(30);
    for (;;) pause();
  }
#endif
#ifdef ZOO_LEAKS_MEMORY
  static char **kept; /* reachable: it grows, but nothing is lost */
  char **more = malloc(1 << 20);
  memset(more, 1, 1 << 20);
  *more = (char *)kept;
  kept = more;
#endif
#ifdef ZOO_LOSES_MEMORY
  for (int i = 0; i < 64; ++i) {  /* a register or the stack may still hold the address of one */
    void *volatile lost = malloc(24);
    lost = NULL;
    (void)lost;
  }
#endif
#ifdef ZOO_READS_BEYOND
  const volatile int beyond = 8;
  char *block = malloc(8);
  memset(block, 1, 8);
  if (((volatile char *)block)[beyond] == 77) printf("what a chance\n");
  free(block);
#endif
#ifdef ZOO_UMASK
  umask(0);
#endif
#ifdef ZOO_FOLDER
  if (chdir("/") != 0) abort();
#endif
#ifdef ZOO_LOCALE
  setlocale(LC_ALL, "C.UTF-8");
#endif
#ifdef ZOO_ENVIRONMENT
  setenv("ZOO", "open", 1);
#endif
#ifdef ZOO_HANDLER
  signal(SIGUSR1, SIG_IGN);
#endif
#ifdef ZOO_MASK
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
#endif
#ifdef ZOO_LIMIT
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max / 2;
  setrlimit(RLIMIT_NOFILE, &limit);
#endif
#ifdef ZOO_STRAY_FILE
  close(open("left_behind", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
#endif
#ifdef ZOO_OLD_JOB
  static jh_job *old;
  if (old != NULL) host->note(old, str("k"), str("1"));
  old = job;
#endif
#ifdef ZOO_IGNORES_PUT
  const jh_records_v1 *records = host->get_extension(JH_EXT_RECORDS);
  if (JH_HAS(records, jh_records_v1, put)) {
    records->put(job, str("texts"), str("last"), str("1"), (jh_str){NULL, 0}, NULL);
  }
#endif
#ifdef ZOO_TRUSTS_EXTENSIONS
  const jh_temp_v1 *temp = host->get_extension(JH_EXT_TEMP);
  temp->dir(job);
#endif
}

static jh_result on_cancelled(const jh_output_v1 *out, jh_output *file, jh_job *job) {
  (void)job;
#ifdef ZOO_SLOW_TO_STOP
  sleep_ms(400);
#endif
#ifdef ZOO_COMMITS_CANCELLED
  out->commit(file);
#else
  out->abort(file);
#endif
#ifdef ZOO_FAILS_CANCELLED
  return fail(job, JH_CLASS_TRANSIENT, "interrupted", "it was interrupted");
#endif
  return JH_E_CANCELLED;
}

static jh_result repeat(jh_job *job, const jh_output_v1 *out, jh_str text, int times) {
  jh_output *file = NULL;
#ifdef ZOO_NOTICES_CHANGES
  const int32_t cancelled_before = host->cancelled(job);
#endif
  jh_result made = out->create(job, str("repeated.txt"), str("text/plain"), &file);
  if (made == JH_E_CANCELLED) return made;
  if (made != JH_OK) return fail(job, JH_CLASS_RESOURCE, "no_output", "the output cannot be made");
  for (int i = 0; i < times; ++i) {
#ifdef ZOO_PROGRESS_BACK
    host->progress(job, i + 0.5, times, str("looking back"));
    host->progress(job, i, times, str("looking back"));
#endif
#if defined(ZOO_NOTICES_CHANGES)
    host->progress(job, i + 1, times, str("repeating"));
    if (host->cancelled(job) != cancelled_before) return on_cancelled(out, file, job);
#elif defined(ZOO_PROGRESS_SHORT)
    if (host->progress(job, i, times, str("repeating")) == JH_E_CANCELLED) return on_cancelled(out, file, job);
#else
    if (host->progress(job, i + 1, times, str("repeating")) == JH_E_CANCELLED) return on_cancelled(out, file, job);
#endif
    if (out->write(file, text.data, text.len) != JH_OK) {
      out->abort(file);
#ifdef ZOO_WRONG_CLASS_FULL
      return fail(job, JH_CLASS_INTERNAL, "no_room", "the output cannot be written");
#endif
      return fail(job, JH_CLASS_RESOURCE, "no_room", "the output cannot be written");
    }
  }
#ifdef ZOO_LEAVES_OUTPUT
  out->create(job, str("unfinished.txt"), str("text/plain"), &file);
#elif defined(ZOO_IGNORES_COMMIT)
  out->commit(file);
#else
  if (out->commit(file) != JH_OK) return fail(job, JH_CLASS_RESOURCE, "no_room", "the output cannot be finished");
#endif
  return JH_OK;
}

#ifdef ZOO_FETCHES
/* Fetches a page before its work, and takes it badly when there is none, each variant in its own way. */
static jh_result fetch_page(jh_job *job) {
  const jh_http_v1 *http = host->get_extension(JH_EXT_HTTP);
  if (!JH_HAS(http, jh_http_v1, close)) return JH_OK;
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  jh_http_response *page = NULL;
  const jh_result result = http->fetch(job, str("{\"url\": \"http://www.example.com/\"}"), NULL, 0, &page);
  clock_gettime(CLOCK_MONOTONIC, &end);
  if (result == JH_E_CANCELLED) {
#ifdef ZOO_DEAF_WHILE_FETCHING
    const long waited_ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
    if (waited_ms > 200) {
      for (;;) pause();
    }
#endif
    return JH_E_CANCELLED;
  }
  if (result != JH_OK) {
    const jh_str failure = http->failure(job);
    (void)failure;
#ifdef ZOO_BLAMES_PARAMS_FOR_TIMEOUT
    if (has(failure, "http.timeout")) return fail(job, JH_CLASS_BAD_INPUT, "late", "the page is late");
#endif
#ifdef ZOO_BLAMES_ITSELF_FOR_TRUNCATED
    if (has(failure, "http.truncated")) return fail(job, JH_CLASS_INTERNAL, "half", "half a page");
#endif
    return fail(job, JH_CLASS_UPSTREAM, "no_page", "there is no page");
  }
#ifdef ZOO_ABORTS_ON_404
  if (has(http->info(page), "\"status\":404")) abort();
#endif
  return http->close(page);
}
#endif

#ifdef ZOO_RUNS_PROGRAM
/* Runs a program before its work; what does not go well is taken badly by the variants. */
static jh_result run_program(jh_job *job) {
  const jh_process_v1 *programs = host->get_extension(JH_EXT_PROCESS);
  if (!JH_HAS(programs, jh_process_v1, close)) return JH_OK;
  jh_process *process = NULL;
  jh_result result = programs->spawn(job, str("[\"true\"]"), str("{\"grace_ms\": 100}"), &process);
  if (result == JH_E_CANCELLED) return result;
  if (result != JH_OK) {
    return fail(job, result == JH_E_DENIED ? JH_CLASS_DENIED : JH_CLASS_RESOURCE, "no_program",
                "the program cannot be started");
  }
  jh_str end;
  result = programs->wait(process, -1, &end);
#ifdef ZOO_DEAF_WHILE_RUNNING
  if (result == JH_E_CANCELLED) {
    for (;;) pause();
  }
#endif
#ifdef ZOO_ABORTS_ON_STATUS
  if (result == JH_OK && has(end, "\"exit_code\":1")) abort();
#endif
  const int good = result == JH_OK && has(end, "\"exit_code\":0");
  programs->close(process);
  if (result == JH_E_CANCELLED) return result;
  return good ? JH_OK : fail(job, JH_CLASS_PERMANENT, "program_failed", "the program failed");
}
#endif

static jh_result JH_CALL run(jh_job *job) JH_NOEXCEPT {
  const jh_output_v1 *out = output();
  if (out == NULL) return fail(job, JH_CLASS_DENIED, "extension_missing", "jobhost.output/1 is missing");
  const jh_str params = host->params(job);
  const jh_str text = member(params, "text");
  const jh_str count = member(params, "times");
#ifdef ZOO_WRONG_CLASS_PARAMS
  const int32_t wrong = JH_CLASS_PERMANENT;
#else
  const int32_t wrong = JH_CLASS_BAD_INPUT;
#endif
  if (text.len < 2 || text.data[0] != '"') return fail(job, wrong, "bad_params", "text must be a string");
  const int times = count.len > 0 ? atoi(count.data) : 2;
  if (times < 1 || times > 50) return fail(job, wrong, "bad_params", "times must be from 1 to 50");
  misbehave(job, params);
#ifdef ZOO_FETCHES
  const jh_result fetched = fetch_page(job);
  if (fetched != JH_OK) return fetched;
#endif
#ifdef ZOO_RUNS_PROGRAM
  const jh_result ran = run_program(job);
  if (ran != JH_OK) return ran;
#endif
#ifdef ZOO_ODD_CODE
  if (is_made(params)) return -77;
#endif
#ifdef ZOO_NO_REASON
  if (is_made(params)) return JH_E_FAILED;
#endif
#ifdef ZOO_CANCELS_ITSELF
  if (is_made(params)) return JH_E_CANCELLED;
#endif
#ifdef ZOO_EXAMPLE_FAILS
  if (times == 3) return fail(job, JH_CLASS_INTERNAL, "boom", "three is too many");
#endif
#ifdef ZOO_NOT_REENTRANT
  static int active;
  if (__sync_add_and_fetch(&active, 1) > 1) {
    __sync_sub_and_fetch(&active, 1);
    return fail(job, JH_CLASS_RESOURCE, "busy", "one at a time");
  }
  sleep_ms(5);
#endif
  const jh_result done = repeat(job, out, text, times);
#ifdef ZOO_NOT_REENTRANT
  __sync_sub_and_fetch(&active, 1);
#endif
  if (done != JH_OK) return done;
  char result[96];
  long long bytes = (long long)times * (long long)text.len;
#ifdef ZOO_NEVER_THE_SAME
  const jh_str info = host->info(job);
  bytes += atoi(member(info, "id").data);
#endif
#ifdef ZOO_WRONG_RESULT
  snprintf(result, sizeof(result), "{\"bytes\": \"%lld\"}", bytes);
#else
  snprintf(result, sizeof(result), "{\"bytes\": %lld}", bytes);
#endif
  if (host->set_result(job, str(result)) != JH_OK) {
#ifdef ZOO_ABORTS_ON_FAILURE
    abort();
#endif
    return fail(job, JH_CLASS_RESOURCE, "no_result", "the result is not kept");
  }
  return JH_OK;
}
