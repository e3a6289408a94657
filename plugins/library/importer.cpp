#include "library/importer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "library/mover.hpp"
#include "library/names.hpp"
#include "library/scan.hpp"
#include "support/archive/archive_names.hpp"
#include "support/files/archive_id.hpp"
#include "support/files/confined.hpp"
#include "support/files/unique_fd.hpp"
#include "support/job/job_failures.hpp"
#include "support/tags/tags.hpp"

namespace jobhost::library {
namespace {

namespace fs = std::filesystem;
using support::Failure;
using support::FailureKind;

const std::string kKnown = "This file already exists in the Library.";
const std::string kNameTaken = "A file with the same name is present in the Library.";
const std::string kReplaceHint = " Enable replace duplicated archive in config to replace old ones.";
constexpr std::size_t kMaxTags = 2000;          // of one archive
constexpr std::size_t kMaxTagBytes = 1000;      // of one tag a plugin found
constexpr std::size_t kMaxTagsBytes = 262'144;  // of all of them: a record has at most 1 MiB
constexpr std::size_t kMaxTextBytes = 65'536;   // of a title or a summary a plugin found

std::int64_t nowS() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec;
}

std::string textOf(const Json& json, const char* name) {
  return std::string(json[name].stringOr(""));
}

// A file itself, not a link to one: what is moved must be what was read.
bool isFile(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// The staged file goes, and the folder made for it alone.
void removeStaged(const fs::path& staged, const fs::path& upload_dir) {
  ::unlink(staged.c_str());
  if (staged.parent_path() != upload_dir) ::rmdir(staged.parent_path().c_str());
}

// Whichever names lead there.
bool isSameFile(const fs::path& a, const fs::path& b) {
  struct stat one {};
  struct stat other {};
  return ::stat(a.c_str(), &one) == 0 && ::stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

// The id of the archive that lies there in the content folder; empty when there is none that can be read. Links within
// the folder count, as the scan takes them.
std::string archiveAt(const fs::path& content, const std::string& file) {
  if (file.empty()) return {};
  try {
    return support::archiveIdOf(support::ConfinedRoots({content}).openFile(file).get());
  } catch (const Failure&) {
    return {};
  }
}

}  // namespace

/// What the checkpoint keeps.
struct Importer::State {
  std::string stage;  ///< "move", "children", "refused", "done"
  std::string id, name, staged, category, url;
  std::int64_t pages = 0;
  bool second = false;           ///< refused when this job had moved its file to the content folder already
  Json cover;                    ///< the child that makes it; null: none could be made
  Json plugins = Json::array();  ///< [job type, child or null, why there is none]
  Json result;                   ///< of "refused" and "done"

  [[nodiscard]] std::string text() const {
    return Json{{"stage", stage},       {"id", id},           {"name", name},    {"staged", staged},
                {"category", category}, {"url", url},         {"pages", pages},  {"second", second},
                {"cover", cover},       {"plugins", plugins}, {"result", result}}
        .dump();
  }
  static State parse(std::string_view text) {
    const Json json = Json::parse(text);
    State state;
    state.stage = textOf(json, "stage");
    state.id = textOf(json, "id");
    state.name = textOf(json, "name");
    state.staged = textOf(json, "staged");
    state.category = textOf(json, "category");
    state.url = textOf(json, "url");
    state.pages = json["pages"].intOr(0);
    state.second = json["second"].boolOr(false);
    state.cover = json["cover"];
    state.plugins = json["plugins"];
    state.result = json["result"];
    return state;
  }
};

void Importer::save(const State& state) {
  job_.saveCheckpoint(state.text());
}

std::optional<Json> Importer::resume() {
  const auto saved = job_.loadCheckpoint();
  if (!saved) return std::nullopt;
  State state = State::parse(*saved);
  if (state.stage == "done") return state.result;
  if (state.stage == "refused") return dropRefused(state);
  if (state.stage == "children") return finish(std::move(state));
  return move(std::move(state), true);
}

Json Importer::resultOf(const State& state, const std::string& message) {
  return importResult(state.category, state.id, message, false, state.name, state.url);
}

// The decision is kept before anything is removed: a run after a crash answers the same, whatever is left by then.
Json Importer::refuse(State state, const std::string& message) {
  state.result = resultOf(state, message);
  state.stage = "refused";
  save(state);
  return dropRefused(state);
}

Json Importer::dropRefused(const State& state) const {
  removeStaged(state.staged, settings_.upload_dir);
  if (state.second) removeSecondCopy(state);
  return state.result;
}

Json Importer::run(const Import& what) {
  const auto stop = support::stopCheckOf(job_);
  State state;
  state.staged = what.staged.string();
  state.category = what.category;
  state.url = what.url;
  {
    // Where it lies first: of what is elsewhere nothing is said.
    const auto file = support::ConfinedRoots({needUploadDir(settings_)}).openFile(state.staged);
    if (!isFile(what.staged)) throw Failure(FailureKind::BadInput, "path.not_a_file", "the path names a link");
    const std::string sent = fs::path(what.name).filename().string();
    state.name = fileNameOf(sent);
    if (!support::isArchiveName(state.name)) {
      state.id = "deadbeef";
      state.name = support::asUtf8(sent);
      return resultOf(state, "Unsupported File Extension (" + state.name + ")");
    }
    state.id = support::archiveIdOf(file.get());
    if (const auto message = inTheWay(state.id, state.name)) return refuse(std::move(state), *message);
    job_.progress(0, 0, "reading the archive");
    state.pages = countArchivePages(file.get(), settings_, stop);
    if (state.pages == 0) throw Failure(FailureKind::NotFound, "image.no_page", "the archive has no page images");
  }
  state.stage = "move";
  save(state);
  return move(std::move(state), false);
}

// Why the file is not wanted; nullopt: it is.
std::optional<std::string> Importer::inTheWay(const std::string& id, const std::string& name) const {
  if (settings_.replace_duplicates) return std::nullopt;
  const fs::path& content = needContentDir(settings_);
  const auto known = shelf_.archive(id);
  if (known && archiveAt(content, textOf(*known, "file")) == id) return kKnown + kReplaceHint;
  struct stat info {};
  if (::lstat((content / name).c_str(), &info) == 0) return kNameTaken + kReplaceHint;
  return std::nullopt;
}

// `again`: an earlier run was ended by a crash somewhere in here.
Json Importer::move(State state, bool again) {
  const fs::path& content = needContentDir(settings_);
  // No other file of that name was there when the earlier run looked, unless it was to be replaced.
  const bool moved_before =
      again && (!settings_.replace_duplicates || !isFile(state.staged)) && archiveAt(content, state.name) == state.id;
  if (!moved_before) {
    const std::string replaced = archiveAt(content, state.name);
    try {
      job_.progress(0, 0, "moving the file");
      moveIntoFolder(state.staged, content, state.name, std::to_string(job_.id()), settings_.replace_duplicates,
                     support::stopCheckOf(job_));
    } catch (const MoveError& error) {
      return resultOf(state, "The file couldn't be moved to your content folder: " + std::string(error.what()));
    } catch (const NameTaken&) {
      return refuse(std::move(state), kNameTaken + kReplaceHint);
    }
    forgetFile(replaced, state);
  }
  removeReplaced(state);
  if (!record(state)) {
    state.second = true;
    return refuse(std::move(state), kKnown + kReplaceHint);
  }
  removeStaged(state.staged, settings_.upload_dir);
  startChildren(state);
  state.stage = "children";
  save(state);
  return finish(std::move(state));
}

// The old file of the same content, where it lies elsewhere, once the new one is in its place: a move that fails loses
// neither.
void Importer::removeReplaced(const State& state) const {
  if (!settings_.replace_duplicates) return;
  const auto known = shelf_.archive(state.id);
  const std::string file = known ? textOf(*known, "file") : std::string();
  const fs::path path = settings_.content_dir / file;
  if (file.empty() || isSameFile(path, settings_.content_dir / state.name)) return;
  if (archiveAt(settings_.content_dir, file) == state.id) ::unlink(path.c_str());
}

// Only as long as the one that counts is another one.
void Importer::removeSecondCopy(const State& state) const {
  const auto known = shelf_.archive(state.id);
  const std::string file = known ? textOf(*known, "file") : std::string();
  const fs::path path = settings_.content_dir / state.name;
  if (isSameFile(settings_.content_dir / file, path)) return;
  const auto is_it = [&](const std::string& there) { return archiveAt(settings_.content_dir, there) == state.id; };
  if (is_it(file) && is_it(state.name)) ::unlink(path.c_str());
}

// Another archive had the name: the file there is no longer its own.
void Importer::forgetFile(const std::string& id, const State& state) const {
  if (id.empty() || id == state.id) return;
  shelf_.update("archives", id, [&](Json& value) {
    if (value["file"].stringOr("") != state.name) return false;
    value.set("file", "");
    return true;
  });
}

// False: another job took the same archive in under another name since this one looked; its file counts.
bool Importer::record(const State& state) const {
  struct stat info {};
  const fs::path path = settings_.content_dir / state.name;
  if (::stat(path.c_str(), &info) != 0)
    throw Failure(FailureKind::Io, "file.read", "the file that was moved is gone from the content folder");
  const std::int64_t now = nowS();
  bool is_second = false;
  shelf_.update("archives", state.id, [&](Json& value) {
    const std::string there = textOf(value, "file");
    is_second = !settings_.replace_duplicates && !there.empty() && !isSameFile(settings_.content_dir / there, path) &&
                archiveAt(settings_.content_dir, there) == state.id;
    if (is_second) return false;
    const bool is_new = !value["added"].isInt();
    support::TagList tags(textOf(value, "tags"));
    if (!state.url.empty()) tags.add(support::makeTag("source", state.url));
    if (is_new && settings_.date_added) tags.add("date_added:" + std::to_string(now));
    value.set("file", state.name).set("name", state.name).set("tags", tags.text());
    value.set("size", std::int64_t{info.st_size}).set("pagecount", state.pages);
    value.set("mtime", std::int64_t{info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000});
    if (is_new) value.set("title", stemOf(state.name)).set("isnew", true).set("added", now);
    return true;
  });
  if (!is_second && !state.url.empty()) shelf_.rememberUrl(state.url, state.id);
  return !is_second;
}

void Importer::startChildren(State& state) {
  ChildOptions options;
  options.max_attempts = 1;
  options.timeout_ms = settings_.child_timeout_ms;
  options.priority = static_cast<int>(job_.info()["priority"].integer(INT32_MIN, INT32_MAX, 0));
  try {
    options.dedupe_key = "cover-" + std::to_string(job_.id());
    state.cover = job_.submit("thumbnail_task", Json{{"id", state.id}, {"page", 0}}, options);
  } catch (const Error& error) {
    job_.warn("no cover is made: " + error.message());
  }
  const Json archive = shelf_.archive(state.id).value_or(Json::object());
  for (const std::string& type : settings_.metadata_run) {
    Json entry = Json::array({type, nullptr, ""});
    try {
      options.dedupe_key = "metadata-" + std::to_string(job_.id()) + "-" + type;
      entry = Json::array({type, job_.submit(type, metadataParams(state.id, archive, nullptr), options), ""});
    } catch (const Error& error) {
      entry = Json::array({type, nullptr, error.message()});
    }
    state.plugins.push(std::move(entry));
  }
}

Json Importer::finish(State state) {
  std::vector<PluginEnd> ends;
  const auto endOf = [&](const Json& id) {
    auto child = job_.childResult(id.intOr(0));
    if (!child) job_.suspend();  // run again when the children have ended
    return child;
  };
  if (state.cover.isInt()) {
    const auto cover = pluginEnd(endOf(state.cover));
    if (!cover.error.empty()) job_.warn("no cover was made: " + cover.error);
  }
  for (const Json& plugin : state.plugins.items()) {
    ends.push_back(plugin.at(1).isInt() ? pluginEnd(endOf(plugin.at(1)))
                                        : PluginEnd{{}, std::string(plugin.at(2).stringOr(""))});
    if (ends.back().error.empty()) continue;
    job_.warn("plugin " + std::string(plugin.at(0).stringOr("")) + ": " + ends.back().error);
  }
  std::int64_t used = 0;
  std::int64_t added = 0;
  std::string title = stemOf(state.name);
  shelf_.update("archives", state.id, [&](Json& value) {
    used = added = 0;
    support::TagList tags(textOf(value, "tags"));
    std::size_t bytes = tags.text().size();
    for (const PluginEnd& end : ends) {
      if (!end.error.empty()) continue;
      ++used;
      for (const auto& tag : support::splitTags(textOf(end.data, "new_tags"))) {
        if (tag.size() > kMaxTagBytes || bytes + tag.size() + 2 > kMaxTagsBytes || tags.all().size() >= kMaxTags)
          continue;
        if (!tags.add(tag)) continue;
        bytes += tag.size() + 2;
        ++added;
      }
      if (const auto text = textOf(end.data, "title"); !text.empty() && text.size() <= kMaxTextBytes)
        value.set("title", title = text);
      if (const auto text = textOf(end.data, "summary"); !text.empty() && text.size() <= kMaxTextBytes)
        value.set("summary", text);
    }
    value.set("tags", tags.text());
    return used > 0;
  });
  std::string message = std::to_string(used) + " Plugins used successfully, " +
                        std::to_string(static_cast<std::int64_t>(ends.size()) - used) + " Plugins failed, " +
                        std::to_string(added) + " tags added. ";
  if (!state.category.empty()) message += addToCategory(state.category, state.id);
  state.result = importResult(state.category, state.id, message, true, title, state.url);
  state.stage = "done";
  save(state);
  return state.result;
}

std::string Importer::addToCategory(const std::string& category, const std::string& id) const {
  const Records categories = job_.records("categories");
  if (category.size() > 100 || !categories.get(category))
    return "Couldn't add to Category: The category " + category.substr(0, 100) + " doesn't exist.";
  try {
    const Json kept = shelf_.update("categories", category, [&](Json& value) {
      Json archives = value["archives"].isArray() ? value["archives"] : Json::array();
      for (const Json& one : archives.items()) {
        if (one.stringOr("") == id) return false;
      }
      archives.push(id);
      value.set("archives", std::move(archives));
      return true;
    });
    return "Added to Category '" + textOf(kept, "name") + "'!";
  } catch (const Error& error) {
    return "Couldn't add to Category: " + error.message();
  }
}

Json importResult(const std::string& category, const std::string& id, const std::string& message, bool success,
                  const std::string& title, const std::string& url) {
  Json result{{"category", category.empty() ? Json() : Json(category)},
              {"id", id},
              {"message", message},
              {"success", success ? 1 : 0},
              {"title", title}};
  if (!url.empty()) result.set("url", url);
  return result;
}

Json metadataParams(const std::string& id, const Json& archive, const Json& arg) {
  return Json{{"id", id},
              {"file", archive["file"].stringOr("")},
              {"title", archive["title"].stringOr("")},
              {"tags", archive["tags"].stringOr("")},
              {"arg", arg}};
}

PluginEnd pluginEnd(const std::optional<Json>& child) {
  if (!child) return {{}, "The plugin has not ended."};
  const Json& result = (*child)["result"];
  if ((*child)["state"].stringOr("") != "succeeded") {
    const std::string message(textOf((*child)["error"], "message"));
    return {{}, message.empty() ? "The plugin was stopped." : message};
  }
  if (const auto error = result.isObject() ? textOf(result, "error") : std::string(); !error.empty())
    return {{}, error};
  return {result, {}};
}

}  // namespace jobhost::library
