#include "api/auth/principal.hpp"

namespace jobhost::api {
namespace {

struct PrivilegeName {
  Privilege privilege;
  std::string_view name;
};
constexpr PrivilegeName kPrivileges[] = {
    {Privilege::ReadJobs, "read_jobs"},     {Privilege::RunJobs, "run_jobs"}, {Privilege::AbortJobs, "abort_jobs"},
    {Privilege::DeleteJobs, "delete_jobs"}, {Privilege::TagJobs, "tag_jobs"}, {Privilege::Admin, "admin"},
};

constexpr std::uint32_t bits(std::initializer_list<Privilege> privileges) {
  std::uint32_t all = 0;
  for (const auto one : privileges) all |= static_cast<std::uint32_t>(one);
  return all;
}

constexpr RoleRow kRoles[] = {
    {Role::Admin, "admin", bits({Privilege::Admin})},
    {Role::User, "user",
     bits({Privilege::ReadJobs, Privilege::RunJobs, Privilege::AbortJobs, Privilege::DeleteJobs, Privilege::TagJobs})},
    {Role::Viewer, "viewer", bits({Privilege::ReadJobs})},
};

}  // namespace

std::optional<Privilege> privilegeFromString(std::string_view word) {
  for (const auto& row : kPrivileges) {
    if (row.name == word) return row.privilege;
  }
  return std::nullopt;
}

std::string_view toString(Privilege privilege) {
  for (const auto& row : kPrivileges) {
    if (row.privilege == privilege) return row.name;
  }
  return privilege == Privilege::Known ? "known" : "none";
}

std::vector<std::string> privilegeWords(std::uint32_t privileges) {
  std::vector<std::string> words;
  for (const auto& row : kPrivileges) {
    if ((privileges & static_cast<std::uint32_t>(row.privilege)) != 0) words.emplace_back(row.name);
  }
  return words;
}

std::span<const RoleRow> roles() {
  return kRoles;
}

const RoleRow* findRole(std::string_view name) {
  for (const auto& row : kRoles) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace jobhost::api
