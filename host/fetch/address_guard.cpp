#include "fetch/address_guard.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace jobhost::fetch {
namespace {

constexpr int kV4Bits = 96;  // of the prefix ::ffff:0:0

Address mapped(const std::uint8_t* v4) {
  Address address;
  address.bytes[10] = address.bytes[11] = 0xff;
  std::memcpy(address.bytes.data() + 12, v4, 4);
  return address;
}

bool samePrefix(const Address& one, const Address& other, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (std::memcmp(one.bytes.data(), other.bytes.data(), whole) != 0) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (one.bytes[whole] & mask) == (other.bytes[whole] & mask);
}

struct Range {
  const char* base;
  int bits;
  AddressKind kind;
};

// RFC 6890 and its successors in IANA's special-purpose registries. The first that holds counts.
constexpr Range kV4Ranges[] = {
    {"168.63.129.16", 32, AddressKind::Metadata},    // Azure's, on every virtual network
    {"100.100.100.200", 32, AddressKind::Metadata},  // Alibaba's
    {"0.0.0.0", 8, AddressKind::Reserved},           // Linux connects 0.0.0.0 to itself
    {"127.0.0.0", 8, AddressKind::Loopback},        {"10.0.0.0", 8, AddressKind::Private},
    {"172.16.0.0", 12, AddressKind::Private},       {"192.168.0.0", 16, AddressKind::Private},
    {"100.64.0.0", 10, AddressKind::Private},       {"169.254.0.0", 16, AddressKind::LinkLocal},
    {"192.0.0.0", 24, AddressKind::Reserved},       {"192.0.2.0", 24, AddressKind::Reserved},
    {"192.88.99.0", 24, AddressKind::Reserved},     {"198.18.0.0", 15, AddressKind::Reserved},
    {"198.51.100.0", 24, AddressKind::Reserved},    {"203.0.113.0", 24, AddressKind::Reserved},
    {"224.0.0.0", 4, AddressKind::Multicast},       {"240.0.0.0", 4, AddressKind::Reserved},
};
constexpr Range kV6Ranges[] = {
    {"fd00:ec2::254", 128, AddressKind::Metadata},  // Amazon's
    {"fd20:ce::254", 128, AddressKind::Metadata},   // Google's
    {"64:ff9b:1::", 48, AddressKind::Reserved},     // a network's own NAT64, wherever it keeps the IPv4 address
    {"::1", 128, AddressKind::Loopback},
    {"::", 128, AddressKind::Reserved},
    {"100::", 64, AddressKind::Reserved},
    {"2001::", 23, AddressKind::Reserved},      // Teredo, ORCHID and other protocols' own
    {"2001:db8::", 32, AddressKind::Reserved},  // documentation
    {"3fff::", 20, AddressKind::Reserved},
    {"5f00::", 16, AddressKind::Reserved},
    {"fc00::", 7, AddressKind::Private},
    {"fe80::", 10, AddressKind::LinkLocal},
    {"fec0::", 10, AddressKind::Private},  // site-local of old
    {"ff00::", 8, AddressKind::Multicast},
};

struct ParsedRange {
  Address base;
  int bits;
  AddressKind kind;
};

const std::vector<ParsedRange>& ranges(bool v4) {
  const auto parse = [](const auto& table, int more) {
    std::vector<ParsedRange> all;
    for (const auto& range : table) all.push_back({*Address::parse(range.base), range.bits + more, range.kind});
    return all;
  };
  static const std::vector<ParsedRange> four = parse(kV4Ranges, kV4Bits);
  static const std::vector<ParsedRange> six = parse(kV6Ranges, 0);
  return v4 ? four : six;
}

// The IPv4 address that a gateway or the kernel would take out of an IPv6 one.
std::optional<Address> embedded(const Address& address) {
  const auto& b = address.bytes;
  static const Address nat64 = *Address::parse("64:ff9b::");
  static const Address compatible = *Address::parse("::");
  static const Address translated = *Address::parse("::ffff:0:0:0");
  if (samePrefix(address, nat64, 96) || samePrefix(address, translated, 96)) {
    return mapped(b.data() + 12);
  }
  if (samePrefix(address, compatible, 96) && (b[12] != 0 || b[13] != 0)) return mapped(b.data() + 12);
  if (b[0] == 0x20 && b[1] == 0x02) return mapped(b.data() + 2);
  return std::nullopt;
}

}  // namespace

std::string_view toString(AddressKind kind) {
  switch (kind) {
    case AddressKind::Public:
      return "a public address";
    case AddressKind::Loopback:
      return "a loopback address";
    case AddressKind::Private:
      return "a private address";
    case AddressKind::LinkLocal:
      return "a link-local address";
    case AddressKind::Metadata:
      return "a metadata service's address";
    case AddressKind::Multicast:
      return "a multicast address";
    case AddressKind::Reserved:
      return "a reserved address";
  }
  return "a reserved address";
}

bool Address::isV4() const {
  static constexpr std::uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(bytes.data(), kPrefix, sizeof(kPrefix)) == 0;
}

std::string Address::text() const {
  char out[INET6_ADDRSTRLEN] = {};
  if (isV4()) {
    inet_ntop(AF_INET, bytes.data() + 12, out, sizeof(out));
  } else {
    inet_ntop(AF_INET6, bytes.data(), out, sizeof(out));
  }
  return out;
}

std::optional<Address> Address::from(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &address, sizeof(four));
    std::uint8_t raw[4];
    std::memcpy(raw, &four.sin_addr, sizeof(raw));
    return mapped(raw);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &address, sizeof(six));
    Address out;
    std::memcpy(out.bytes.data(), &six.sin6_addr, out.bytes.size());
    return out;
  }
  return std::nullopt;
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::string word(text);
  std::uint8_t four[4];
  if (inet_pton(AF_INET, word.c_str(), four) == 1) return mapped(four);
  Address out;
  if (inet_pton(AF_INET6, word.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

AddressKind kindOf(const Address& address) {
  const bool v4 = address.isV4();
  if (!v4) {
    if (const auto inner = embedded(address)) return kindOf(*inner);
  }
  for (const auto& range : ranges(v4)) {
    if (samePrefix(address, range.base, range.bits)) return range.kind;
  }
  // Nothing outside 2000::/3 is handed out as a peer's address.
  if (!v4 && (address.bytes[0] & 0xe0) != 0x20) return AddressKind::Reserved;
  return AddressKind::Public;
}

core::Result<AddressGuard> AddressGuard::make(bool allow_private, const std::vector<std::string>& networks) {
  AddressGuard guard;
  guard.allow_private_ = allow_private;
  for (const auto& text : networks) {
    const auto slash = text.find('/');
    const auto base = Address::parse(std::string_view(text).substr(0, slash));
    const int most = base && base->isV4() && text.find(':') == std::string::npos ? 32 : 128;
    int bits = most;
    bool good = base.has_value();
    if (good && slash != std::string::npos) {
      const char* first = text.data() + slash + 1;
      const char* last = text.data() + text.size();
      const auto read = std::from_chars(first, last, bits);
      good = read.ec == std::errc() && read.ptr == last && first != last && bits >= 0 && bits <= most;
    }
    if (!good) {
      return core::Error{core::ErrorCode::InvalidArgument,
                         "\"" + text + "\" is no network: write 10.1.0.0/16, fd00::/8 or one address",
                         {},
                         {}};
    }
    guard.networks_.push_back({*base, most == 32 ? bits + kV4Bits : bits});
  }
  return guard;
}

bool AddressGuard::allows(const Address& address) const {
  const auto kind = kindOf(address);
  if (kind == AddressKind::Public) return true;
  if (allow_private_ && (kind == AddressKind::Loopback || kind == AddressKind::Private)) return true;
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const Network& network) { return samePrefix(address, network.base, network.bits); });
}

}  // namespace jobhost::fetch
