#include "catalog/trust.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

#include "catalog/faults.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxTextBytes = 1u << 20;  // of a key, signature or lock file
constexpr std::size_t kMaxKeys = 256;
constexpr const char* kSignatureEndings[] = {".minisig", ".sig"};

core::Error denied(std::string reason, std::string_view way_out) {
  return fault(core::ErrorCode::PermissionDenied, std::move(reason), way_out);
}

constexpr std::string_view kTakeAway = "chown root and chmod go-w it (plugins.check_owner)";
constexpr std::string_view kMendPins = "mend it, until then no plugin is trusted";

/// A small regular file's text; nullopt: there is none. Error: it is there and cannot be read.
core::Result<std::optional<std::string>> smallFile(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::optional<std::string>();
  const auto failed = [&path](const std::string& why) {
    return denied(path.string() + " cannot be read: " + why, "mend or remove it");
  };
  if (fd < 0) return failed(std::strerror(errno));
  struct stat status {};
  std::string text;
  std::string problem;
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    problem = "it is no regular file";
  } else if (status.st_size > static_cast<off_t>(kMaxTextBytes)) {
    problem = "it is larger than " + std::to_string(kMaxTextBytes) + " bytes";
  } else {
    text.resize(static_cast<std::size_t>(status.st_size));
    const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
    if (got < 0) problem = std::strerror(errno);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  ::close(fd);
  if (!problem.empty()) return failed(problem);
  return std::optional(std::move(text));
}

std::string stampText(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "-";
  return std::to_string(status.st_ino) + ":" + std::to_string(status.st_size) + ":" +
         std::to_string(status.st_ctim.tv_sec) + "." + std::to_string(status.st_ctim.tv_nsec);
}

std::vector<fs::path> keyFiles(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && files.size() < kMaxKeys;
       it.increment(error)) {
    if (it->path().extension() == ".pub") files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Why others than root and the host's user could change it; empty: they cannot.
std::string openToOthers(const struct stat& status) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return "belongs to user " + std::to_string(status.st_uid) + ", not to root or the host's user";
  if ((status.st_mode & S_IWOTH) != 0) return "may be written by everybody";
  // A user's own group is as good as the user (Debian's user private groups).
  if ((status.st_mode & S_IWGRP) != 0 && status.st_gid != 0 && status.st_gid != ::getegid())
    return "may be written by group " + std::to_string(status.st_gid);
  return {};
}

bool isHash(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string listed(const char* what, const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? std::string(what) + ": " : ", ") + name;
  return text;
}

}  // namespace

Trust::Trust(TrustOptions options) : options_(std::move(options)), lock_(options_.folder / "plugins.lock") {}

bool Trust::refresh() {
  std::string seen = stampText(lock_) + " " + stampText(options_.folder);
  for (const auto& file : keyFiles(options_.folder)) seen += " " + file.string() + " " + stampText(file);
  if (seen == seen_) return false;
  const bool first = seen_.empty();
  seen_ = std::move(seen);
  readKeys();
  readPins();
  return !first;
}

void Trust::readKeys() {
  keys_.clear();
  for (const auto& file : keyFiles(options_.folder)) {
    const auto text = smallFile(file);
    if (!text || !*text) {
      telemetry::log("catalog").error("trusted key not used file={} reason={}", file.string(),
                                      text ? "is gone" : text.error().message);
      continue;
    }
    struct stat status {};
    const std::string open = ::stat(file.c_str(), &status) == 0 && options_.check_owner ? openToOthers(status) : "";
    const auto key = parsePublicKey(**text);
    if (!key || !open.empty()) {
      telemetry::log("catalog").error("trusted key not used file={} reason={}", file.string(),
                                      key ? open : key.error().message);
      continue;
    }
    keys_[key->id] = *key;
  }
}

void Trust::readPins() {
  pins_.clear();
  pins_broken_.clear();
  pinned_ = false;
  if (options_.folder.empty()) return;
  const auto text = smallFile(lock_);
  pinned_ = !text || *text;
  if (!text) {
    pins_broken_ = text.error().message;
  } else if (*text) {
    int number = 0;
    for (std::string_view rest = **text; !rest.empty() && pins_broken_.empty();) {
      const auto end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
      ++number;
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
      if (line.empty() || line.front() == '#') continue;
      const auto gap = line.find(' ');
      const auto name = line.find_first_not_of(" *", gap);  // as sha256sum writes it, in text or binary mode
      if (!isHash(line.substr(0, gap)) || gap == std::string_view::npos || name == std::string_view::npos) {
        pins_broken_ = lock_.string() + " line " + std::to_string(number) +
                       ": must be a SHA-256 in lower-case hexadecimal, spaces, and a plugin id or file name";
        continue;
      }
      pins_[std::string(line.substr(0, gap))] = fs::path(line.substr(name)).filename().string();
    }
  }
  if (!pins_broken_.empty()) telemetry::log("catalog").error("no plugin is trusted reason={}", pins_broken_);
}

core::Result<void> Trust::checkOwner(const fs::path& file, int fd) const {
  struct stat status {};
  if (::fstat(fd, &status) != 0)
    return core::Error{core::ErrorCode::Unavailable, std::string("cannot be looked at: ") + std::strerror(errno)};
  if (const auto open = openToOthers(status); !open.empty())
    return denied("is not trusted: the file " + open, kTakeAway);
  if (::stat(file.parent_path().c_str(), &status) != 0)
    return core::Error{core::ErrorCode::Unavailable, std::string("its folder cannot be looked at: ") + std::strerror(errno)};
  if (const auto open = openToOthers(status); !open.empty())
    return denied("is not trusted: its folder " + open, kTakeAway);
  return {};
}

core::Result<void> Trust::checkPin(const std::string& sha256, const std::string& file,
                                   const std::string& plugin_id) const {
  if (!pins_broken_.empty()) return denied("is not trusted: " + pins_broken_, kMendPins);
  if (!pinned_) return {};
  const std::string lock = lock_.filename().string();
  const auto pin = pins_.find(sha256);
  if (pin == pins_.end())
    return denied("is not trusted: sha256 " + sha256 + " is not in " + lock,
                  "if it should run: sha256sum " + file + " >> " + lock_.string());
  if (pin->second != file && pin->second != plugin_id)
    return denied("is not trusted: " + lock + " has its sha256 for \"" + pin->second + "\"",
                  "name the file so, or mend the line");
  return {};
}

core::Result<std::string> Trust::checkSignature(const fs::path& file, int fd) const {
  std::optional<std::string> text;
  fs::path from;
  for (const char* ending : kSignatureEndings) {
    from = file.string() + ending;
    auto found = smallFile(from);
    if (!found) return found.error();
    if ((text = *std::move(found))) break;
  }
  if (!text) {
    if (options_.allow_unsigned) return std::string();
    return denied("is not signed, and plugins.unsigned=deny",
                  "put its minisign signature beside it as " + file.filename().string() + ".minisig");
  }
  const auto signature = parseSignature(*text);
  if (!signature) {
    return denied("is not trusted: " + from.filename().string() + " " + signature.error().message,
                  "make it with minisign -S, or remove it");
  }
  const auto key = keys_.find(signature->key_id);
  if (key == keys_.end()) {
    if (options_.allow_unsigned) return std::string();
    PublicKey unknown;
    unknown.id = signature->key_id;
    return denied("is signed by key " + unknown.name() + ", which is not in " + options_.folder.string(),
                  "put its public key there to trust it");
  }
  if (const auto fits = verifySignature(*signature, key->second, fd); !fits) {
    if (fits.error().code == core::ErrorCode::Unavailable) return fits.error();
    return denied("is not trusted: " + from.filename().string() + " of key " + key->second.name() + ": " +
                      fits.error().message,
                  "copy the file and its signature again, or sign it again");
  }
  return key->second.name();
}

core::Result<std::string> Trust::check(const fs::path& signed_file, int fd, const std::string& sha256,
                                       const std::string& plugin_id) const {
  if (options_.check_owner) {
    if (const auto owned = checkOwner(signed_file, fd); !owned) return owned.error();
  }
  return checkContent(signed_file, fd, sha256, plugin_id);
}

core::Result<std::string> Trust::checkContent(const fs::path& signed_file, int fd, const std::string& sha256,
                                              const std::string& plugin_id) const {
  if (const auto pinned = checkPin(sha256, signed_file.filename().string(), plugin_id); !pinned) return pinned.error();
  return checkSignature(signed_file, fd);
}

core::Result<void> Trust::recheck(const std::vector<std::string>& hashes, const std::string& signer) const {
  if (!pins_broken_.empty()) return denied("is not trusted: " + pins_broken_, kMendPins);
  for (const std::string& sha256 : hashes) {
    if (pinned_ && !pins_.contains(sha256))
      return denied("is not trusted: sha256 " + sha256 + " is not in " + lock_.filename().string(),
                    "if it should run, add it");
  }
  if (options_.allow_unsigned) return {};
  const bool known = std::any_of(keys_.begin(), keys_.end(), [&](const auto& key) { return key.second.name() == signer; });
  if (!known) return denied("is not signed by a key that is trusted now", "put the key's public file back, or sign it with another");
  return {};
}

std::string toString(const Permissions& permissions) {
  std::string text;
  for (const auto& part :
       {listed("net", permissions.net), listed("exec", permissions.exec), listed("secrets", permissions.secrets),
        listed("children", permissions.children), listed("config", permissions.config),
        std::string(permissions.kv ? "kv" : ""), listed("records to read", permissions.records_read),
        listed("records to write", permissions.records_write)}) {
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  }
  return text;
}

bool covers(const Permissions& granted, const Permissions& wanted) {
  const auto within = [](const std::vector<std::string>& all, const std::vector<std::string>& some) {
    const std::set<std::string> known(all.begin(), all.end());
    return std::all_of(some.begin(), some.end(), [&](const auto& one) { return known.contains(one); });
  };
  auto readable = granted.records_write;  // who may write may read
  readable.insert(readable.end(), granted.records_read.begin(), granted.records_read.end());
  return within(granted.net, wanted.net) && within(granted.exec, wanted.exec) &&
         within(granted.secrets, wanted.secrets) && within(granted.children, wanted.children) &&
         within(granted.config, wanted.config) && (granted.kv || !wanted.kv) &&
         within(readable, wanted.records_read) && within(granted.records_write, wanted.records_write);
}

fs::path signedBy(const fs::path& signature) {
  const std::string text = signature.string();
  for (const std::string_view ending : kSignatureEndings) {
    if (text.size() > ending.size() && text.ends_with(ending)) return text.substr(0, text.size() - ending.size());
  }
  return {};
}

}  // namespace jobhost::catalog
