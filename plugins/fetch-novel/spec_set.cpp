#include "fetch-novel/spec_set.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fetch-novel/digest.hpp"
#include "fetch-novel/url.hpp"

namespace jobhost::novel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytes = 1 << 20;
constexpr std::size_t kFiles = 20'000;
constexpr std::size_t kChain = 16;
constexpr DataLimits kLimits{kFileBytes, 20'000, 32};

bool isSpecFile(std::string_view path) {
  return path.ends_with(".yaml") || path.ends_with(".yml") || path.ends_with(".json");
}

bool isConfined(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\\') != std::string_view::npos) return false;
  for (const auto& part : fs::path(path)) {
    if (part == ".." || part == ".") return false;
  }
  return true;
}

class Loader {
 public:
  explicit Loader(const SpecFiles& files) : files_(files) {}

  std::shared_ptr<const Spec> load(const std::string& path, std::vector<SpecProblem>& problems) {
    problems_ = &problems;
    names_.clear();
    bytes_.clear();
    const auto merged = merge(path, {});
    if (!merged) return nullptr;
    auto spec = buildSpec(*merged, names_, problems);
    if (!spec) return nullptr;
    spec->file = path;
    spec->version = hexDigest(bytes_);
    if (!placed(*spec, path)) return nullptr;
    return std::make_shared<const Spec>(*std::move(spec));
  }

 private:
  void problem(const std::string& path, int line, const std::string& field, std::string reason) {
    problems_->push_back({{path, line, field}, std::move(reason)});
  }

  void mark(Data& data, int file) {
    data.file = file;
    for (Data& item : data.items) mark(item, file);
    for (auto& [name, member] : data.members) mark(member, file);
  }

  std::optional<Data> read(const std::string& path) {
    const auto text = files_.read(path);
    if (!text) {
      problem(path, 0, "", "there is no such file, or it cannot be read");
      return std::nullopt;
    }
    DataError error;
    auto data = path.ends_with(".json") ? parseJson(*text, error, true, kLimits) : parseYaml(*text, error, kLimits);
    if (!data) {
      problem(path, error.line, "", error.reason);
      return std::nullopt;
    }
    names_.push_back(path);
    bytes_ += path + "\n" + *text;
    mark(*data, static_cast<int>(names_.size()) - 1);
    return data;
  }

  std::optional<Data> merge(const std::string& path, std::vector<std::string> chain) {
    if (std::find(chain.begin(), chain.end(), path) != chain.end()) {
      problem(chain.back(), 0, "extends", "'" + path + "' extends itself");
      return std::nullopt;
    }
    if (chain.size() == kChain) {
      problem(chain.back(), 0, "extends", "more than " + std::to_string(kChain) + " files extend each other");
      return std::nullopt;
    }
    auto own = read(path);
    if (!own) return std::nullopt;
    if (!own->isMap()) {
      problem(path, own->line, "", "a spec must be a mapping");
      return std::nullopt;
    }
    // Otherwise a parent's would do, and what a child's author meant would be a guess.
    if (own->find("spec") == nullptr) {
      problem(path, own->line, "spec", "is missing; this host reads 'spec: 1'");
      return std::nullopt;
    }
    const Data* extends = own->find("extends");
    if (extends == nullptr || extends->isNull()) return own;
    if (!extends->isString() || !isConfined(extends->text) || !isSpecFile(extends->text)) {
      problem(path, extends->line, "extends", "must name a .yaml or .json file of this folder, like base/theme.yaml");
      return std::nullopt;
    }
    if (extends->text.starts_with("disabled/")) {
      problem(path, extends->line, "extends", "may not name a disabled source");
      return std::nullopt;
    }
    chain.push_back(path);
    auto parent = merge(extends->text, std::move(chain));
    if (!parent) {
      problem(path, extends->line, "extends", "cannot be used without '" + extends->text + "'");
      return std::nullopt;
    }
    return mergeSpecs(*parent, *own);
  }

  // The file's name is the host, so that a spec is found by looking.
  bool placed(const Spec& spec, const std::string& path) {
    if (path.starts_with("base/")) {
      if (!spec.host.empty()) problem(path, 0, "base_url", "a base is for several hosts and has none itself");
      return spec.host.empty();
    }
    if (spec.host.empty()) return true;
    if (hostOfFile(path) != spec.host) {
      problem(path, 0, "base_url",
              "is of the host '" + spec.host + "', so the file must be called " + spec.host + ".yaml (or .json)");
      return false;
    }
    const bool in_disabled = path.starts_with("disabled/");
    if (in_disabled == spec.disabled.empty() && (in_disabled || path.starts_with("specs/"))) {
      problem(path, 0, "disabled", in_disabled ? "must say why, in this folder" : "belongs into the folder disabled/");
      return false;
    }
    return true;
  }

  const SpecFiles& files_;
  std::vector<SpecProblem>* problems_ = nullptr;
  std::vector<std::string> names_;
  std::string bytes_;
};

}  // namespace

std::string_view hostOfFile(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  return path.substr(0, path.rfind('.'));
}

std::vector<std::string> SpecFolder::list() const {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    if (at->is_regular_file(error) && !at->is_symlink(error) && isSpecFile(at->path().string()) &&
        out.size() < kFiles) {
      out.push_back(at->path().lexically_relative(folder_).generic_string());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<std::string> SpecFolder::read(const std::string& path) const {
  if (!isConfined(path)) return std::nullopt;
  std::error_code error;
  const fs::path root = fs::canonical(folder_, error);
  if (error) return std::nullopt;
  const fs::path file = fs::canonical(root / path, error);
  if (error || !std::equal(root.begin(), root.end(), file.begin(),
                           std::next(file.begin(), std::min(std::distance(root.begin(), root.end()),
                                                            std::distance(file.begin(), file.end()))))) {
    return std::nullopt;
  }
  if (!fs::is_regular_file(file, error)) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::string out(kFileBytes + 1, '\0');
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (in.bad()) return std::nullopt;
  out.resize(static_cast<std::size_t>(in.gcount()));
  return out;
}

std::string SpecFolder::stamp() const {
  std::string all;
  std::error_code error;
  for (const std::string& path : list()) {
    const fs::path file = fs::path(folder_) / path;
    all += path + " " + std::to_string(fs::file_size(file, error)) + " " +
           std::to_string(fs::last_write_time(file, error).time_since_epoch().count()) + "\n";
  }
  return hexDigest(all);
}

SpecSet SpecSet::load(const SpecFiles& files) {
  SpecSet out;
  Loader loader(files);
  for (const std::string& path : files.list()) {
    if (!isSpecFile(path)) continue;
    const auto spec = loader.load(path, out.problems_);
    if (spec == nullptr || spec->host.empty()) continue;
    const auto [found, fresh] = out.hosts_.emplace(spec->host, spec);
    if (!fresh)
      out.problems_.push_back(
          {{path, 0, "base_url"}, "the host '" + spec->host + "' is in " + found->second->file + " already"});
  }
  return out;
}

std::shared_ptr<const Spec> SpecSet::find(std::string_view url) const {
  const auto found = hosts_.find(sourceHost(url));
  return found == hosts_.end() ? nullptr : found->second;
}

std::shared_ptr<const Spec> loadSpec(const SpecFiles& files, const std::string& path,
                                     std::vector<SpecProblem>& problems) {
  return Loader(files).load(path, problems);
}

}  // namespace jobhost::novel
