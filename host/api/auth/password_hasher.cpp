#include "api/auth/password_hasher.hpp"

#include <charconv>
#include <cstddef>

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/mman.h>

#include "api/encoding.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;
constexpr HashCost kMostCost{1 << 20, 64, 16};

// From malloc the block would stay with a heap of the allocator; the host's memory at rest is small on purpose.
int allocate(std::uint8_t** memory, std::size_t bytes) {
  void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *memory = mapped == MAP_FAILED ? nullptr : static_cast<std::uint8_t*>(mapped);
  return *memory == nullptr ? ARGON2_MEMORY_ALLOCATION_ERROR : ARGON2_OK;
}
void release(std::uint8_t* memory, std::size_t bytes) {
  OPENSSL_cleanse(memory, bytes);
  ::munmap(memory, bytes);
}

int argon2id(std::string_view password, const std::string& salt, const HashCost& cost, std::string& out) {
  argon2_context context{};
  context.out = reinterpret_cast<std::uint8_t*>(out.data());
  context.outlen = static_cast<std::uint32_t>(out.size());
  // Input alone: neither is cleared (no flag asks for it), and the library only takes pointers it could write to.
  context.pwd = reinterpret_cast<std::uint8_t*>(const_cast<char*>(password.data()));
  context.pwdlen = static_cast<std::uint32_t>(password.size());
  context.salt = reinterpret_cast<std::uint8_t*>(const_cast<char*>(salt.data()));
  context.saltlen = static_cast<std::uint32_t>(salt.size());
  context.t_cost = cost.iterations;
  context.m_cost = cost.memory_kib;
  context.lanes = cost.lanes;
  context.threads = 1;  // lanes are a property of the hash; threads would only take cores from jobs
  context.version = ARGON2_VERSION_13;
  context.allocate_cbk = allocate;
  context.free_cbk = release;
  context.flags = ARGON2_DEFAULT_FLAGS;
  return argon2_ctx(&context, Argon2_id);
}

core::Error failedHash(int code) {
  const bool memory = code == ARGON2_MEMORY_ALLOCATION_ERROR;
  return {memory ? core::ErrorCode::Unavailable : core::ErrorCode::Internal,
          memory ? "there is no memory to check a password now" : "the password cannot be checked",
          argon2_error_message(code),
          {}};
}

/// PHC strings leave out base64's padding.
std::string unpadded(std::string_view bytes) {
  auto text = toBase64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}
std::optional<std::string> fromUnpadded(std::string_view text) {
  if (text.find('=') != std::string_view::npos) return std::nullopt;
  std::string padded(text);
  padded.append((4 - text.size() % 4) % 4, '=');
  return fromBase64(padded);
}

/// Takes `prefix` and the decimal number behind it off the front of `text`.
std::optional<std::uint32_t> takeNumber(std::string_view& text, std::string_view prefix, std::uint32_t most) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  std::uint32_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || number == 0 || number > most) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

bool meetsOwaspFloor(const HashCost& cost) {
  constexpr HashCost kFloor[] = {{47'104, 1, 1}, {19'456, 2, 1}, {12'288, 3, 1}, {9'216, 4, 1}, {7'168, 5, 1}};
  for (const auto& row : kFloor) {
    if (cost.memory_kib >= row.memory_kib && cost.iterations >= row.iterations) return true;
  }
  return false;
}

std::optional<PhcHash> parsePhc(std::string_view text) {
  constexpr std::string_view kPrefix = "$argon2id$v=19";
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  PhcHash phc;
  const auto memory = takeNumber(text, "$m=", kMostCost.memory_kib);
  const auto iterations = memory ? takeNumber(text, ",t=", kMostCost.iterations) : std::nullopt;
  const auto lanes = iterations ? takeNumber(text, ",p=", kMostCost.lanes) : std::nullopt;
  if (!lanes || !text.starts_with('$')) return std::nullopt;
  text.remove_prefix(1);
  const auto middle = text.find('$');
  if (middle == std::string_view::npos) return std::nullopt;
  auto salt = fromUnpadded(text.substr(0, middle));
  auto hash = fromUnpadded(text.substr(middle + 1));
  const auto sized = [](const auto& bytes, std::size_t least) {
    return bytes && bytes->size() >= least && bytes->size() <= 64;
  };
  if (!sized(salt, 8) || !sized(hash, 16)) return std::nullopt;
  phc.cost = {*memory, *iterations, *lanes};
  phc.salt = *std::move(salt);
  phc.hash = *std::move(hash);
  return phc;
}

/// A place among those that hash now; waits for one.
class PasswordHasher::Turn {
 public:
  explicit Turn(PasswordHasher& hasher) : hasher_(hasher) {
    std::unique_lock lock(hasher_.mutex_);
    const auto& options = hasher_.options_;
    if (hasher_.running_ >= options.parallel) {
      if (hasher_.waiting_ >= options.queue) return;
      ++hasher_.waiting_;
      hasher_.free_.wait(lock, [&] { return hasher_.running_ < options.parallel; });
      --hasher_.waiting_;
    }
    ++hasher_.running_;
    has_ = true;
  }
  ~Turn() {
    if (!has_) return;
    std::lock_guard lock(hasher_.mutex_);
    --hasher_.running_;
    hasher_.free_.notify_one();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  explicit operator bool() const { return has_; }
  static core::Error refused() { return {core::ErrorCode::Exhausted, "too many passwords are being checked", "", {}}; }

 private:
  PasswordHasher& hasher_;
  bool has_ = false;
};

PasswordHasher::PasswordHasher(Options options) : options_(options) {}

core::Result<std::string> PasswordHasher::hash(std::string_view password) {
  const Turn turn(*this);
  if (!turn) return Turn::refused();
  std::string salt(kSaltBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), static_cast<int>(salt.size())) != 1) {
    return core::Error{core::ErrorCode::Internal, "no random numbers can be had", "RAND_bytes failed", {}};
  }
  std::string hash(kHashBytes, '\0');
  const auto& cost = options_.cost;
  if (const int code = argon2id(password, salt, cost, hash); code != ARGON2_OK) return failedHash(code);
  return "$argon2id$v=19$m=" + std::to_string(cost.memory_kib) + ",t=" + std::to_string(cost.iterations) +
         ",p=" + std::to_string(cost.lanes) + "$" + unpadded(salt) + "$" + unpadded(hash);
}

core::Result<bool> PasswordHasher::verify(std::string_view password, const std::string& phc) {
  const auto parts = parsePhc(phc);
  if (!parts) return core::Error{core::ErrorCode::Internal, "the password cannot be checked", "not a PHC string", {}};
  const Turn turn(*this);
  if (!turn) return Turn::refused();
  std::string hash(parts->hash.size(), '\0');
  if (const int code = argon2id(password, parts->salt, parts->cost, hash); code != ARGON2_OK) return failedHash(code);
  return CRYPTO_memcmp(hash.data(), parts->hash.data(), hash.size()) == 0;
}

core::Result<void> PasswordHasher::pretend(std::string_view password) {
  const Turn turn(*this);
  if (!turn) return Turn::refused();
  std::string hash(kHashBytes, '\0');
  if (const int code = argon2id(password, std::string(kSaltBytes, 'j'), options_.cost, hash); code != ARGON2_OK) {
    return failedHash(code);
  }
  return {};
}

bool PasswordHasher::outdated(const std::string& phc) const {
  const auto parts = parsePhc(phc);
  return !parts || parts->cost != options_.cost;
}

}  // namespace jobhost::api
