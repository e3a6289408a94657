#include "api/lncrawl/parts.hpp"

namespace jobhost::api::lncrawl {

void writeUser(JsonWriter& json, const store::User& user) {
  json.beginObject().key("id").string(user.id).key("created_at").number(millis(user.created_at));
  json.key("updated_at").number(millis(user.updated_at)).key("extra").beginObject().endObject();
  json.key("referrer_id").null().key("email").string(user.name).key("name").string(user.name);
  json.key("role").string(roleWord(user)).key("tier").number(std::int64_t{tierOf(user)});
  json.key("is_active").boolean(!user.disabled).key("is_verified").boolean(true).endObject();
}

}  // namespace jobhost::api::lncrawl
