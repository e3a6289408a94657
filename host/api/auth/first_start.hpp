#pragma once

#include <filesystem>

#include "api/auth/key_ring.hpp"
#include "core/result.hpp"

namespace jobhost::api {

class Accounts;

/// The 32 random bytes in `<data>/keys/<name>` (mode 0600, as 64 hex digits); made where there is no such file. A file
/// that holds anything else is an error and stays as it is: what was signed or spelt with it would be lost.
core::Result<std::string> ensureSecret(const std::filesystem::path& data_folder, const std::string& name);

/// Sees to it that `<data>/keys/admin.key` (mode 0600, folder 0700) holds a key with all privileges that the store
/// knows; makes a new one when the file is lost, unreadable or of another database. Answers the file's path.
core::Result<std::filesystem::path> ensureAdminKey(const std::filesystem::path& data_folder, KeyRing& keys);

/// Where there are no users at all, makes one named `admin` with a random password, which stands in
/// `<data>/keys/admin.password` (mode 0600) until somebody takes the file away; nothing reads it again.
core::Result<void> ensureAdminUser(const std::filesystem::path& data_folder, Accounts& accounts);

}  // namespace jobhost::api
