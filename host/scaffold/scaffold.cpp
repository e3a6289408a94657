#include "scaffold/scaffold.hpp"

#include <fstream>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include "scaffold/templates.hpp"

namespace jobhost::scaffold {
namespace {

namespace fs = std::filesystem;
using Words = std::map<std::string, std::string>;

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxType = 100;
constexpr std::size_t kMaxId = 128;

core::Error invalid(const std::string& argument, const std::string& value, const std::string& reason) {
  return {core::ErrorCode::InvalidArgument, argument + " \"" + value.substr(0, 200) + "\": " + reason, {}, {}};
}

bool isSmall(char c) {
  return c >= 'a' && c <= 'z';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

/// The name becomes a folder, a file, a CMake target and the last part of the id.
core::Result<void> checkName(const std::string& name) {
  if (name.empty()) return invalid("NAME", name, "must not be empty");
  if (name.size() > kMaxName) return invalid("NAME", name, "must have at most 64 characters");
  if (!isSmall(name.front())) return invalid("NAME", name, "must begin with a small letter");
  for (const char c : name) {
    if (!isSmall(c) && !isDigit(c) && c != '-' && c != '_') {
      return invalid("NAME", name, "must have small letters, digits, '-' and '_' only");
    }
  }
  if (name == "test" || name == "all" || name == "install" || name == "clean" || name == "package" || name == "help") {
    return invalid("NAME", name, "is a name CMake keeps for itself");
  }
  return {};
}

core::Result<void> checkType(const std::string& type) {
  if (type.empty()) return invalid("--type", type, "must not be empty");
  if (type.size() > kMaxType) return invalid("--type", type, "must have at most 100 characters");
  for (std::size_t i = 0; i < type.size(); ++i) {
    const char c = type[i];
    const bool word = isSmall(c) || isDigit(c) || (c >= 'A' && c <= 'Z') || c == '_';
    if (i == 0 && !word) return invalid("--type", type, "must begin with a letter, a digit or '_'");
    if (!word && c != '-' && c != '.' && c != ':') {
      return invalid("--type", type, "must have letters, digits, '_', '-', '.' and ':' only");
    }
  }
  return {};
}

core::Result<void> checkId(const std::string& id) {
  constexpr const char* kShape =
      "must be a name in reverse DNS order, of small letters and digits: \"org.example.thing\"";
  if (id.size() > kMaxId || id.find('.') == std::string::npos) return invalid("--id", id, kShape);
  bool start = true;
  for (const char c : id) {
    const bool good = c == '.' ? !start : isSmall(c) || isDigit(c) || (!start && (c == '-' || c == '_'));
    if (!good) return invalid("--id", id, kShape);
    start = c == '.';
  }
  return start ? invalid("--id", id, kShape) : core::Result<void>{};
}

std::string identifier(std::string name) {
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

std::string filled(std::string_view text, const Words& words) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto open = text.find("{{");
    const auto close = open == std::string_view::npos ? open : text.find("}}", open);
    if (close == std::string_view::npos) break;
    const auto word = words.find(std::string(text.substr(open + 2, close - open - 2)));
    if (word == words.end()) {  // braces of the language
      out += text.substr(0, open + 2);
      text.remove_prefix(open + 2);
      continue;
    }
    out += text.substr(0, open);
    out += word->second;
    text.remove_prefix(close + 2);
  }
  return out += text;
}

std::string_view templateText(std::string_view name) {
  for (const Template& one : templates()) {
    if (one.name == name) return one.text;
  }
  return {};
}

struct File {
  fs::path path;
  std::string text;
};

std::vector<File> filesOf(const Request& request) {
  const bool c = request.language == Language::C;
  const std::string folder = c ? "c/" : "cpp/";
  const std::string source = request.name + (c ? ".c" : ".cpp");
  const Words words{{"name", request.name},
                    {"type", request.type},
                    {"id", request.id.empty() ? "com.example." + request.name : request.id},
                    {"ident", identifier(request.name)},
                    {"source", source}};
  const auto text = [&](const std::string& name) { return filled(templateText(name), words); };
  if (request.single_file) return {{source, text(std::string("single/source") + (c ? ".c" : ".cpp"))}};
  const fs::path in = request.name;
  return {{in / "CMakeLists.txt", text(folder + "CMakeLists.txt")},
          {in / "plugin.json", text(folder + "plugin.json")},
          {in / source, text(folder + (c ? "source.c" : "source.cpp"))},
          {in / "test" / (request.name + "_test.cpp"), text(folder + "test.cpp")},
          {in / "README.md", text("common/README.md")},
          {in / ".gitignore", text("common/gitignore")},
          {in / ".github/workflows/check.yml", text("common/check.yml")}};
}

core::Error cannotWrite(const fs::path& path, const std::error_code& why) {
  return {core::ErrorCode::Unavailable, "cannot write " + path.string() + ": " + why.message(), {}, {}};
}

core::Result<void> write(const fs::path& path, const std::string& text) {
  std::error_code wrong;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), wrong);
  if (wrong) return cannotWrite(path, wrong);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return cannotWrite(path, std::make_error_code(std::errc::io_error));
  return {};
}

}  // namespace

core::Result<std::vector<fs::path>> create(const Request& request) {
  if (auto good = checkName(request.name); !good) return good.error();
  if (auto good = checkType(request.type); !good) return good.error();
  if (!request.id.empty()) {
    if (auto good = checkId(request.id); !good) return good.error();
  }
  std::error_code wrong;
  if (!fs::is_directory(request.parent, wrong)) {
    return core::Error{core::ErrorCode::NotFound, "--dir: there is no folder " + request.parent.string(), {}, {}};
  }
  const auto files = filesOf(request);
  const fs::path root = request.parent / *files.front().path.begin();  // the new folder, or the one file
  if (fs::exists(fs::symlink_status(root, wrong))) {
    return core::Error{core::ErrorCode::Conflict, root.string() + " is there already", {}, {}};
  }
  std::vector<fs::path> made;
  for (const File& file : files) {
    made.push_back(request.parent / file.path);
    if (auto done = write(made.back(), file.text); !done) {
      fs::remove_all(root, wrong);
      return done.error();
    }
  }
  return made;
}

}  // namespace jobhost::scaffold
