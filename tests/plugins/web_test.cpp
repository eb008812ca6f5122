// The page: what browsers get at "/", where its files are, and what it may ask for.
#include "plugins/web/client_folder.h"
#include "plugins/web/page.h"
#include "tests/stream/web_client.h"
#include "tests/support/catch.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace epode;

namespace {

namespace fs = std::filesystem;

// A client of three files, in place of the one from npm.
class SmallClient {
public:
    SmallClient() {
        std::string name = (fs::temp_directory_path() / "epode-web-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
        write("version", "1.2.3-abc");
        write("index.html",
              "<title>@TITLE@</title><script src=\"@FILES@/start.js\"></script><body@DATA@>a@b");
        write("files/start.js", "start()");
        write("files/start.js.gz", "(compressed)");
        write("files/icon-192.png", "png");
    }
    ~SmallClient() { fs::remove_all(path_); }
    void write(const std::string& name, std::string_view text) const {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream{path_ / name, std::ios::binary} << text;
    }
    std::string path() const { return path_.string(); }
    std::string toml(std::string_view more = {}) const {
        return "[web]\ndirectory = '" + path() + "'\n" + std::string{more};
    }

private:
    fs::path path_;
};

}  // namespace

TEST_CASE("the page is of the host by whose name it is asked") {
    const SmallClient files;
    TestServer server{
        files.toml("title = 'Verona'\n[registration]\nenabled = true\n"
                   "[host.\"montague.example\"]\nregistration.enabled = false\n"
                   "muc.domain = ''\nweb.title = '\"<b>&'")};
    WebClient client{server};
    const auto page = client.get("/");
    CHECK(statusOf(page) == "200");
    CHECK(has(page, "Content-Type: text/html; charset=utf-8\r\n"));
    CHECK(has(page, "Cache-Control: no-cache\r\n"));
    CHECK(has(page, "<title>Verona</title><script src=\"/client/1.2.3-abc/start.js\">"));
    CHECK(has(page, " data-domain=\"capulet.example\""));
    CHECK(has(page, " data-rooms=\"conference.capulet.example\""));
    CHECK(has(page, " data-registration=\"\""));
    // Its library isn't among the files.
    CHECK(!has(page, "data-omemo"));
    CHECK(has(page, ">a@b"));
    CHECK(bodyOf(client.get("/invite/abcdefgh")) == bodyOf(page));
    const auto other = client.get("/", {}, "montague.example");
    CHECK(has(other, " data-domain=\"montague.example\""));
    CHECK(has(other, " data-rooms=\"\""));
    CHECK(!has(other, "data-registration"));
    CHECK(!has(other, "<b>"));
    CHECK(has(other, "<title>&quot;&lt;b&gt;&amp;</title>"));
    CHECK(has(client.get("/manifest.webmanifest", {}, "montague.example"),
              "\"short_name\":\"\\\"<b>&\""));
}

TEST_CASE("files are kept for good under their version, and only there") {
    const SmallClient files;
    TestServer server{files.toml()};
    WebClient client{server};
    const auto today = client.get("/client/1.2.3-abc/start.js");
    CHECK(has(today, "Content-Type: text/javascript; charset=utf-8\r\n"));
    CHECK(has(today, "Cache-Control: public, max-age=31536000, immutable\r\n"));
    CHECK(bodyOf(today) == "start()");
    const auto compressed = client.get("/client/1.2.3-abc/start.js", "Accept-Encoding: gzip\r\n");
    CHECK(has(compressed, "Content-Encoding: gzip\r\n"));
    CHECK(bodyOf(compressed) == "(compressed)");
    // A page from before an update still works.
    const auto former = client.get("/client/1.2.2-000/start.js");
    CHECK(bodyOf(former) == "start()");
    CHECK(has(former, "Cache-Control: no-cache\r\n"));
    CHECK(bodyOf(client.get("/favicon.ico")) == "png");
}

TEST_CASE("nothing but the client's files is served") {
    const SmallClient files;
    files.write("files/.hidden", "hidden");
    fs::create_symlink("../version", fs::path{files.path()} / "files/link");
    TestServer server{files.toml()};
    for (const std::string path :
         {"/client", "/client/", "/client/1.2.3-abc", "/client/1.2.3-abc/", "/client/start.js",
          "/client/1.2.3-abc/none.js", "/client/1.2.3-abc/.hidden", "/client/1.2.3-abc/link",
          "/client/1.2.3-abc/%2e%2e/version", "/client/1.2.3-abc/..%2fversion",
          "/client/1.2.3-abc/../version", "/client//version", "/index.html", "/version"}) {
        WebClient client{server};
        const auto status = statusOf(client.get(path));
        INFO(path);
        CHECK((status == "404" || status == "400"));
    }
    WebClient client{server};
    CHECK(statusOf(client.ask("POST / HTTP/1.1\r\nHost: capulet.example\r\n"
                              "Content-Length: 0\r\n\r\n")) == "405");
}

TEST_CASE("a browser is told to ask nobody else") {
    const SmallClient files;
    TestServer server{
        files.toml("[http]\ntls_port = 5281\n[host.\"montague.example\"]\n"
                   "http.public_url = 'https://Chat.montague.example/'\nweb.foreign_media = true")};
    WebClient client{server};
    const auto page = client.get("/");
    CHECK(has(page,
              "Content-Security-Policy: default-src 'none'; script-src 'self' "
              "'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: "
              "https://capulet.example:5281; media-src 'self' blob: https://capulet.example:5281; "
              "font-src 'self'; connect-src 'self' https://capulet.example:5281; manifest-src "
              "'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\n"));
    CHECK(has(page, "Referrer-Policy: no-referrer\r\n"));
    CHECK(has(page, "X-Content-Type-Options: nosniff\r\n"));
    CHECK(has(page, " data-secure=\"https://capulet.example:5281\""));
    const auto other = client.get("/", {}, "montague.example");
    CHECK(has(other, "img-src 'self' data: blob: https://chat.montague.example https:;"));
    CHECK(has(other, "connect-src 'self' https://chat.montague.example;"));
    CHECK(has(other, " data-foreign-media=\"\""));
}

TEST_CASE("the page may show what a bucket has, when that is where files come from") {
    const SmallClient files;
    const auto downloads = GENERATE(as<std::string>{}, "redirect", "through");
    const auto bucket = GENERATE(as<std::string>{}, "https://S3.verona.example:9000/files", "");
    INFO(downloads << " " << bucket);
    TestServer server{files.toml("[upload]\ns3_url = '" + bucket + "'\ns3_downloads = '" +
                                 downloads + "'\npublic_url = 'https://files.capulet.example/'")};
    WebClient client{server};
    const auto page = client.get("/");
    const bool isNamed = downloads == "redirect" && !bucket.empty();
    const std::string origins = std::string{" https://files.capulet.example"} +
                                (isNamed ? " https://s3.verona.example:9000" : "") + ";";
    CHECK(has(page, "img-src 'self' data: blob:" + origins));
    CHECK(has(page, "media-src 'self' blob:" + origins));
    CHECK(has(page, "connect-src 'self'" + origins));
    CHECK(has(page, "s3.verona.example") == isNamed);
}

TEST_CASE("an origin is a scheme, a host and a port") {
    CHECK(originOf("https://Chat.Example:5281/path?x#y") == "https://chat.example:5281");
    CHECK(originOf("https://chat.example") == "https://chat.example");
    CHECK(originOf("http://[::1]:5280/") == "http://[::1]:5280");
    for (const std::string_view wrong :
         {"", "chat.example", "https://a b", "https://a;script-src *", "https://a,b",
          "https://a\r\nX: y", "https://\xC3\xA4", "https://a'", "https://*", "data://a",
          "javascript://a"})
        CHECK(originOf(wrong).empty());
}

TEST_CASE("without a client the server says so, and has no page") {
    const SmallClient files;
    files.write("version", "../..");
    TestServer server{files.toml()};
    WebClient client{server};
    const auto page = client.get("/");
    CHECK(statusOf(page) == "404");
    CHECK(has(page, "no web page"));
    CHECK(statusOf(client.get("/client/1.2.3-abc/start.js")) == "404");
    CHECK(!readClientFolder("/nonexistent").isThere());
}
