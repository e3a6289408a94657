// Where the HTTP client does not go, and what it does not take along.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "integration/fetch/fetch_fixture.hpp"

namespace jobhost::fetch {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Connection = test::RudeServer::Connection;
using Asked = test::RudeServer::Request;

class Guard : public FetchTest {
 protected:
  void redirects(const std::string& path, const std::string& location, int status = 302) {
    server.on(path, [location, status](const Asked&, Connection& to) {
      to.answer(status, "", "Location: " + location + "\r\n");
    });
  }
};

TEST_F(Guard, PrivateAddressesAreNotConnectedTo) {
  options.guard = *AddressGuard::make(false, {});
  const auto got = fetchPath("/");
  EXPECT_EQ(got.code(), "http.address_denied");
  EXPECT_THAT(got.message(), HasSubstr("127.0.0.1 is a loopback address"));
  for (const char* url : {"http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/", "http://2130706433/",
                          "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[fe80::1]/"}) {
    EXPECT_EQ(fetch(to(url)).code(), "http.address_denied") << url;
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Guard, ANameThatResolvesToAPrivateAddressIsNotConnectedTo) {
  const std::string port = std::to_string(server.port());
  options.resolve = {"inside.example:" + port + ":127.0.0.2", "six.example:" + port + ":[::1]",
                     "allowed.example:" + port + ":127.0.0.1"};
  server.on("/", [](const Asked&, Connection& to) { to.answer(200, "reached"); });
  const auto got = fetch(to("http://inside.example:" + port + "/"));
  EXPECT_EQ(got.code(), "http.address_denied");
  EXPECT_THAT(got.message(), HasSubstr("127.0.0.2"));
  EXPECT_EQ(fetch(to("http://six.example:" + port + "/")).code(), "http.address_denied");
  EXPECT_EQ(fetch(to("http://allowed.example:" + port + "/")).code(), "status 200");
}

TEST_F(Guard, LocalhostIsJudgedByItsAddress) {
  options.guard = *AddressGuard::make(false, {});
  EXPECT_EQ(fetch(to("http://localhost:" + std::to_string(server.port()) + "/")).code(), "http.address_denied");
}

TEST_F(Guard, ARedirectLeadsToNoPrivateAddress) {
  redirects("/ip", "http://127.0.0.2:" + std::to_string(server.port()) + "/");
  redirects("/meta", "http://169.254.169.254/latest/");
  redirects("/mapped", "http://[::ffff:10.0.0.1]/");
  options.resolve = {"inside.example:80:10.0.0.7"};
  redirects("/name", "//inside.example/");
  for (const char* path : {"/ip", "/meta", "/mapped", "/name"}) {
    EXPECT_EQ(fetchPath(path).code(), "http.address_denied") << path;
  }
}

TEST_F(Guard, ARedirectKeepsToHttp) {
  redirects("/file", "file:///etc/passwd");
  redirects("/gopher", "gopher://127.0.0.1:25/_x");
  redirects("/nowhere", "http://a:b:c/");
  EXPECT_EQ(fetchPath("/file").code(), "http.scheme_denied");
  EXPECT_EQ(fetchPath("/gopher").code(), "http.scheme_denied");
  EXPECT_EQ(fetchPath("/nowhere").code(), "http.bad_redirect");
  EXPECT_EQ(fetch(to("file:///etc/passwd")).code(), "http.scheme_denied");
}

TEST_F(Guard, OnlyTheCallersHostsAreReachedAlsoByRedirects) {
  const std::string port = std::to_string(server.port());
  options.resolve = {"good.example:" + port + ":127.0.0.1", "www.good.example:" + port + ":127.0.0.1",
                     "evil.example:" + port + ":127.0.0.1"};
  redirects("/evil", "http://evil.example:" + port + "/secret");
  redirects("/www", "http://www.good.example:" + port + "/page");
  server.on("/page", [](const Asked&, Connection& to) { to.answer(200, "page"); });
  Request request = to("http://good.example:" + port + "/evil");
  request.allowed_hosts = {"good.example", "*.good.example"};
  const auto got = fetch(request);
  EXPECT_EQ(got.code(), "http.host_denied");
  EXPECT_THAT(got.message(), HasSubstr("evil.example"));
  request.url = "http://good.example:" + port + "/www";
  EXPECT_EQ(fetch(request).code(), "status 200");
  request.url = "http://evil.example:" + port + "/";
  EXPECT_EQ(fetch(request).code(), "http.host_denied");
  request.allowed_hosts = {};
  request.url = "http://good.example:" + port + "/page";
  EXPECT_EQ(fetch(request).code(), "http.host_denied");
  for (const auto& asked : server.requests()) EXPECT_THAT(*asked.header("Host"), testing::Not(HasSubstr("evil")));
}

TEST_F(Guard, CredentialsStayWithTheirOrigin) {
  test::RudeServer other;
  for (auto* one : {&server, &other}) {
    one->on("/end", [](const Asked&, Connection& to) { to.answer(200, "end"); });
  }
  redirects("/same", "/end");
  redirects("/other", other.url("/end"));
  for (const char* path : {"/same", "/other"}) {
    Request request = to("http://user:pw@127.0.0.1:" + std::to_string(server.port()) + path);
    request.headers = {{"X-Api-Key", "k"}, {"Cookie", "session=1"}, {"Accept", "text/x"}};
    ASSERT_EQ(fetch(request).code(), "status 200") << path;
  }
  const auto same = server.requests()[1];
  EXPECT_EQ(same.header("X-Api-Key"), "k");
  EXPECT_EQ(same.header("Cookie"), "session=1");
  EXPECT_TRUE(same.header("Authorization").has_value());
  const auto away = other.requests().at(0);
  EXPECT_EQ(away.header("X-Api-Key"), std::nullopt);
  EXPECT_EQ(away.header("Cookie"), std::nullopt);
  EXPECT_EQ(away.header("Authorization"), std::nullopt);
  EXPECT_EQ(away.header("Accept"), "text/x");
}

TEST_F(Guard, RedirectsChangeOrKeepTheMethod) {
  server.on("/end", [](const Asked&, Connection& to) { to.answer(200, "end"); });
  redirects("/see", "/end", 303);
  redirects("/keep", "/end", 307);
  Request request = get("/see");
  request.method = "POST";
  request.body = "text";
  request.headers = {{"Content-Type", "text/plain"}};
  ASSERT_EQ(fetch(request).code(), "status 200");
  request.url = server.url("/keep");
  ASSERT_EQ(fetch(request).code(), "status 200");
  const auto asked = server.requests();
  EXPECT_EQ(asked[1].method, "GET");
  EXPECT_EQ(asked[1].body, "");
  EXPECT_EQ(asked[1].header("Content-Type"), std::nullopt);
  EXPECT_EQ(asked[3].method, "POST");
  EXPECT_EQ(asked[3].body, "text");
}

TEST_F(Guard, ProxiesOfTheEnvironmentAreNotUsed) {
  test::RudeServer proxy;
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy"}) setenv(name, proxy.url("").c_str(), 1);
  server.on("/", [](const Asked&, Connection& to) { to.answer(200, "direct"); });
  const auto got = fetchPath("/");
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy"}) unsetenv(name);
  EXPECT_EQ(got.body, "direct");
  EXPECT_TRUE(proxy.requests().empty());
}

TEST_F(Guard, AProxyThatIsConfiguredIsUsedForWhatMayBeReached) {
  test::RudeServer proxy;
  proxy.on("http://far.example/page", [](const Asked&, Connection& to) { to.answer(200, "by proxy"); });
  options.guard = *AddressGuard::make(false, {});  // the proxy's own address is the operator's choice
  options.proxy = proxy.url("");
  EXPECT_EQ(fetch(to("http://far.example/page")).body, "by proxy");
  EXPECT_EQ(fetch(to("http://10.0.0.1/")).code(), "http.address_denied");
}

/// A certificate of its own making, and its key, in one file.
std::string selfSigned(const fs::path& file, const char* name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  for (const auto& [kind, value] : {std::pair<int, std::string>{NID_subject_alt_name, name},
                                    std::pair<int, std::string>{NID_basic_constraints, "CA:TRUE"}}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate, key, EVP_sha256());
  std::FILE* out = std::fopen(file.c_str(), "w");
  PEM_write_X509(out, certificate);
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return file.string();
}

TEST_F(Guard, CertificatesAreVerified) {
  const auto folder = fs::temp_directory_path() / ("jobhost-tls-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string pem = selfSigned(folder / "good.pem", "IP:127.0.0.1");
  const std::string other_name = selfSigned(folder / "other.pem", "DNS:other.example");
  const auto fetchFrom = [&](const std::string& certificate, const std::string& trusted) {
    test::RudeServer tls(certificate);
    tls.on("/", [](const Asked&, Connection& to) { to.answer(200, "secure"); });
    ClientOptions with = options;
    with.ca_file = trusted;
    Client client(with);
    return Going(client, to(tls.url("/"))).wait();
  };
  EXPECT_EQ(fetchFrom(pem, "").code(), "http.tls") << "nobody vouches for it";
  EXPECT_EQ(fetchFrom(pem, pem).code(), "status 200") << fetchFrom(pem, pem).message();
  EXPECT_EQ(fetchFrom(other_name, other_name).code(), "http.tls") << "it is for another name";
  EXPECT_EQ(fetchFrom(pem, (folder / "absent.pem").string()).code(), "http.tls");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace jobhost::fetch
