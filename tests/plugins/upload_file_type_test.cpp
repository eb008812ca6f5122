// Names and types of uploaded files.
#include "plugins/upload/file_type.h"
#include "tests/support/catch.h"

#include <vector>

using namespace epode::upload;

TEST_CASE("browsers show what can do nothing, and never take a part of a page from here") {
    struct Row {
        std::string type;
        std::string served;
        bool isShown;
    };
    const std::vector<Row> rows{
        {"image/png", "image/png", true},
        {"image/jpeg", "image/jpeg", true},
        {"video/mp4", "video/mp4", true},
        {"audio/ogg; codecs=opus", "audio/ogg; codecs=opus", true},
        {"text/plain", "text/plain; charset=utf-8", true},
        {"text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1", true},
        {"image/svg+xml", "image/svg+xml", false},
        {"text/html", "text/html", false},
        {"application/xhtml+xml", "application/xhtml+xml", false},
        {"application/pdf", "application/pdf", false},
        {"application/zip", "application/zip", false},
        {"application/x-unheard-of", "application/x-unheard-of", false},
        {"", "application/octet-stream", false},
        {"text/javascript", "application/octet-stream", false},
        {"application/javascript; charset=utf-8", "application/octet-stream", false},
        {"application/x-ecmascript", "application/octet-stream", false},
        {"text/livescript", "application/octet-stream", false},
        {"text/css", "application/octet-stream", false},
        {"application/wasm", "application/octet-stream", false},
        {"application/manifest+json", "application/octet-stream", false},
        {"text/cache-manifest", "application/octet-stream", false},
    };
    for (const auto& row : rows) {
        INFO(row.type);
        CHECK(servingOf(row.type).contentType == row.served);
        CHECK(servingOf(row.type).isShown == row.isShown);
    }
}

TEST_CASE("media types are read as HTTP has them") {
    CHECK(readMediaType("Image/PNG") == "image/png");
    CHECK(readMediaType(" text/plain ; charset=UTF-8 ") == "text/plain; charset=UTF-8");
    CHECK(readMediaType("application/vnd.a+b.c-d_e") == "application/vnd.a+b.c-d_e");
    for (const std::string wrong :
         {"", "text", "/", "text/", "/plain", "text/pl ain", "text/pl/ain", "te\xC3\xA8xt/plain",
          "text/plain; a=\r\nb", "text/plain; a=\x7F", "text/<html>"}) {
        INFO(wrong);
        CHECK(readMediaType(wrong) == "");
    }
    CHECK(readMediaType("a/" + std::string(126, 'b')) == "");
    CHECK(isSameType("image/PNG; x=1", "image/png"));
    CHECK_FALSE(isSameType("image/png", "image/jpeg"));
    CHECK_FALSE(isSameType("", "image/jpeg"));
}

TEST_CASE("names of files lose what leads elsewhere or hides their end") {
    CHECK(readFileName("tr\xC3\xA8s cool.jpg", 255) == "tr\xC3\xA8s cool.jpg");
    CHECK(readFileName("/etc/passwd", 255) == "passwd");
    CHECK(readFileName("..\\..\\boot.ini", 255) == "boot.ini");
    CHECK(readFileName("a\tb\x7F.txt", 255) == "a_b_.txt");
    CHECK(readFileName("cod\xE2\x80\xAEgpj.exe", 255) == "cod_gpj.exe");
    CHECK(readFileName(".hidden", 255) == ".hidden");
    for (const std::string wrong : {"", ".", "..", "a/", "a/..", "\\", "abcdef"}) {
        INFO(wrong);
        CHECK(readFileName(wrong, 5) == "");
    }
    CHECK(percentEncoded("a b/c?d#e%f\xC3\xA8~") == "a%20b%2Fc%3Fd%23e%25f%C3%A8~");
    CHECK(contentDisposition("a\"b\r\n.txt", false) ==
          "attachment; filename*=UTF-8''a%22b%0D%0A.txt");
}
