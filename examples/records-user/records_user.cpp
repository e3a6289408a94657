// A small library of books kept in the host's database: what one job stores, the next one finds.
#include <jobhost/plugin.hpp>

#include <string>

JOBHOST_MANIFEST(R"json({
  "manifest": 1, "id": "com.example.records-user", "version": "1.0.0", "name": "Shelf",
  "abi": {"major": 1, "min_minor": 1}, "requires": ["jobhost.records/1", "jobhost.kv/1"],
  "records": {
    "books": {"title": "Books", "indexes": ["author", "tags"]},
    "chapters": {"title": "Chapters, the children of their book"}
  },
  "permissions": {"kv": true},
  "job_types": [
    {"name": "shelve", "title": "Put books on the shelf", "positional": ["books"], "retry": {"max_attempts": 3},
     "params": {"type": "object", "required": ["books"], "additionalProperties": false, "properties": {
       "books": {"type": "array", "maxItems": 1000, "items": {
         "type": "object", "required": ["id", "title"], "additionalProperties": false, "properties": {
           "id": {"type": "string", "minLength": 1, "maxLength": 100},
           "title": {"type": "string", "maxLength": 500},
           "author": {"type": "string", "maxLength": 200},
           "tags": {"type": "array", "maxItems": 20, "items": {"type": "string", "maxLength": 100}},
           "chapters": {"type": "array", "maxItems": 500, "items": {"type": "string", "maxLength": 500}}}}}},
       "examples": [{"books": [{"id": "emma", "title": "Emma", "author": "Jane Austen", "chapters": ["I", "II"]}]}]}},
    {"name": "find-books", "title": "Find books", "positional": ["tag"],
     "params": {"type": "object", "additionalProperties": false, "properties": {
       "tag": {"type": "string", "maxLength": 100}, "author": {"type": "string", "maxLength": 200}},
       "examples": [{"tag": "novel"}, {}]}},
    {"name": "read-chapter", "title": "Note that a chapter was read", "positional": ["book", "number"],
     "retry": {"max_attempts": 5, "backoff": {"kind": "fixed", "base_ms": 20}},
     "params": {"type": "object", "required": ["book", "number"], "additionalProperties": false, "properties": {
       "book": {"type": "string", "minLength": 1, "maxLength": 100}, "number": {"type": "integer", "minimum": 1}}}}
  ]})json");

using jobhost::Job;
using jobhost::Json;
using jobhost::RecordQuery;

static std::string chapterKey(std::string_view book, std::int64_t number) {
  return std::string(book) + "/" + std::to_string(number);
}

// All books of a job or none: whatever ends the attempt before its success, nothing of it is on the shelf.
static Json shelve(Job& job) {
  const auto books = job.records("books");
  const auto chapters = job.records("chapters");
  const Json wanted = job.params()["books"].json();
  std::int64_t written = 0;
  for (const Json& book : wanted.items()) {
    job.progress(static_cast<double>(written++), static_cast<double>(wanted.size()));
    const std::string id(book["id"].stringOr(""));
    if (id.empty()) throw jobhost::Error::badInput("/books/" + std::to_string(written - 1) + "/id: must be a text");
    std::vector<std::string> old;
    chapters.each(RecordQuery::childrenOf(id).withoutValues(), [&](const jobhost::Record& one) { old.push_back(one.key); });
    for (const auto& key : old) chapters.del(key);
    std::int64_t number = 0;
    for (const Json& title : book["chapters"].items()) {
      jobhost::PutOptions place;
      place.parent = id;
      place.sort = ++number;
      chapters.put(chapterKey(id, number), {{"title", title}, {"read", 0}}, place);
    }
    Json kept{{"title", book["title"]}, {"author", book["author"]}, {"tags", book["tags"]}, {"chapters", number}};
    books.put(id, kept);
  }
  job.progress(static_cast<double>(written), static_cast<double>(wanted.size()));
  return {{"shelved", written}, {"on_the_shelf", books.count()}};
}

static Json findBooks(Job& job) {
  RecordQuery query = RecordQuery::all();
  if (const auto tag = job.params()["tag"]) query = RecordQuery::having("tags", tag.str());
  if (const auto author = job.params()["author"]) query = RecordQuery::having("author", author.str());
  Json found = Json::array();
  job.records("books").each(query, [&](const jobhost::Record& book) {
    found.push({{"id", book.key}, {"title", book.value["title"]}});
  });
  return {{"books", std::move(found)}};
}

// Two of these at once read the same number. `expected` lets the second to end fail with records_conflict, and its next
// attempt counts on from what the first one stored.
static Json readChapter(Job& job) {
  const auto chapters = job.records("chapters");
  const std::string key = chapterKey(job.params()["book"].str(), job.params()["number"].integer());
  const auto chapter = chapters.get(key);
  if (!chapter) throw jobhost::Error::badInput("there is no chapter " + key);
  Json now = chapter->value;
  const std::int64_t read = now["read"].intOr(0) + 1;
  now.set("read", read);
  jobhost::PutOptions options;
  options.parent = chapter->parent;
  options.sort = chapter->sort;
  options.expected = chapter->version;
  chapters.put(key, now, options);

  // A cache of what was read last, which may be lost: kept for a day.
  jobhost::KeyOptions day;
  day.ttl_ms = 24 * 3600 * 1000;
  job.kv().put("last-read", key, day);
  return {{"read", read}};
}

JOBHOST_JOB("shelve", shelve);
JOBHOST_JOB("find-books", findBooks);
JOBHOST_JOB("read-chapter", readChapter);
JOBHOST_PLUGIN(&jh_t_shelve, &jh_t_findBooks, &jh_t_readChapter)
