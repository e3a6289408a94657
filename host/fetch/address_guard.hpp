#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

struct sockaddr;

namespace jobhost::fetch {

/// What an address is good for. Whatever is not Public is reached only where the guard's options say so.
enum class AddressKind {
  Public,
  Loopback,   ///< 127.0.0.0/8, ::1
  Private,    ///< RFC 1918, fc00::/7, and 100.64.0.0/10 behind carriers
  LinkLocal,  ///< 169.254.0.0/16, fe80::/10: cloud metadata among them
  Metadata,   ///< metadata services at addresses that look public
  Multicast,
  Reserved,  ///< "this host", documentation, benchmarks, broadcast, and what has no meaning as a peer
};

/// "a loopback address"
std::string_view toString(AddressKind kind);

/// An IP address, IPv4 ones in their mapped form, so that one comparison serves both.
struct Address {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] bool isV4() const;
  [[nodiscard]] std::string text() const;
  bool operator==(const Address&) const = default;

  /// nullopt: neither IPv4 nor IPv6.
  static std::optional<Address> from(const sockaddr& address);
  /// Dotted or IPv6 text without brackets and zone; nullopt: no address.
  static std::optional<Address> parse(std::string_view text);
};

/// By its range. An IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4) counts as what it embeds.
AddressKind kindOf(const Address& address);

/// Decides which addresses may be connected to. It is asked with the address a socket is about to connect to, after
/// names were resolved and redirects followed, so neither DNS nor a redirect gets around it.
///
/// Thread-safety: immutable.
class AddressGuard {
 public:
  /// `allow_private`: loopback and private ranges are open. `networks`: "10.1.0.0/16", "fd00::/8", "169.254.169.254";
  /// what lies in one is open whatever it is. Error: InvalidArgument naming the network that cannot be read.
  static core::Result<AddressGuard> make(bool allow_private, const std::vector<std::string>& networks);

  [[nodiscard]] bool allows(const Address& address) const;

 private:
  struct Network {
    Address base;
    int bits = 128;
  };
  AddressGuard() = default;

  bool allow_private_ = false;
  std::vector<Network> networks_;
};

}  // namespace jobhost::fetch
