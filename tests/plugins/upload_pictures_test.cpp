// Pictures on their way in: what they say of their makers goes, and a small one is made.
#include "plugins/upload/file_store.h"
#include "plugins/upload/image/metadata.h"
#include "plugins/upload/image/picture.h"
#include "plugins/upload/picture_work.h"
#include "tests/plugins/run_command.h"
#include "tests/plugins/upload_support.h"

#include "core/digest.h"

#include <zlib.h>

using namespace epode;
using namespace epode::upload;
using namespace epode::image;

namespace {

const std::string juliet = "juliet@capulet.example/balcony";
const std::string secret = "Capulet's orchard, 45.4419 N 10.9982 E";

std::string number(std::uint32_t value, unsigned bytes, bool isBig = true) {
    std::string text;
    for (unsigned i = 0; i < bytes; ++i) text += char(value >> (8 * (isBig ? bytes - 1 - i : i)));
    return text;
}

// ---- pictures of the tests' own

std::string chunk(const std::string& type, const std::string& content) {
    const std::string checked = type + content;
    const auto sum =
        ::crc32(0, reinterpret_cast<const Bytef*>(checked.data()), uInt(checked.size()));
    return number(std::uint32_t(content.size()), 4) + checked + number(std::uint32_t(sum), 4);
}
const std::string pngHead{"\x89PNG\r\n\x1a\n", 8};

// Red at the left, blue at the right, and as opaque as that.
std::string png(unsigned width, unsigned height, std::string_view opaque = "\xFF",
                const std::string& more = {}) {
    std::string rows;
    for (unsigned y = 0; y < height; ++y) {
        rows += '\0';
        for (unsigned x = 0; x < width; ++x)
            rows.append(x < width / 2 ? std::string("\xFF\0\0", 3) : std::string("\0\0\xFF", 3))
                .append(opaque);
    }
    uLongf size = ::compressBound(uLong(rows.size()));
    std::string packed(size, '\0');
    ::compress(reinterpret_cast<Bytef*>(packed.data()), &size,
               reinterpret_cast<const Bytef*>(rows.data()), uLong(rows.size()));
    packed.resize(size);
    const std::string facts =
        number(width, 4) + number(height, 4) + std::string{"\x08\x06\0\0\0", 5};
    return pngHead + chunk("IHDR", facts) + more + chunk("IDAT", packed) + chunk("IEND", "");
}

std::string tiff(unsigned orientation, bool isBig) {
    std::string text = isBig ? std::string{"MM\0*", 4} : std::string{"II*\0", 4};
    const auto entry = [&](unsigned tag, unsigned type, unsigned count, const std::string& value) {
        text += number(tag, 2, isBig) + number(type, 2, isBig) + number(count, 4, isBig) + value;
    };
    text += number(8, 4, isBig) + number(2, 2, isBig);
    entry(0x010E, 2, unsigned(secret.size()), number(38, 4, isBig));
    entry(0x0112, 3, 1, number(orientation, 2, isBig) + number(0, 2));
    return text + number(0, 4) + secret;
}

std::string segment(unsigned marker, const std::string& content) {
    return std::string{"\xFF"} + char(marker) + number(std::uint32_t(content.size() + 2), 2) +
           content;
}
// Not one that could be shown, but with all the parts.
std::string jpeg(const std::string& parts) {
    return "\xFF\xD8" + parts + segment(0xDB, std::string(65, 'q')) +
           segment(0xC0, std::string(15, 'f')) + segment(0xDA, "scan") +
           std::string{"da\xFF\0ta\xFF\xD0more\xFF\xD9", 14};
}
const std::string jfif = segment(0xE0, std::string{"JFIF\0\x01\x02\0\0\x48\0\x48\0\0", 14});

std::string riff(const std::string& chunks) {
    return "RIFF" + number(std::uint32_t(chunks.size() + 4), 4, false) + "WEBP" + chunks;
}
std::string piece(const std::string& type, const std::string& content) {
    return type + number(std::uint32_t(content.size()), 4, false) + content +
           std::string(content.size() % 2, '\0');
}

bool hasSecret(const std::string& text) { return text.find(secret) != std::string::npos; }

}  // namespace

TEST_CASE("a JPEG keeps its picture, its colours and its orientation alone") {
    const std::string profile = segment(0xE2, std::string{"ICC_PROFILE\0\x01\x01profile", 21});
    const std::string adobe = segment(0xEE, std::string{"Adobe\0\x64\0\0\0\0\x01", 12});
    const std::string said =
        segment(0xE1, std::string{"Exif\0\0", 6} + tiff(6, GENERATE(true, false))) +
        segment(0xE1, "http://ns.adobe.com/xap/1.0/ " + secret) +
        segment(0xED, "Photoshop " + secret) + segment(0xE2, "MPF " + secret) +
        segment(0xE5, secret) + segment(0xFE, secret) + segment(0xEF, secret);
    const auto bare = withoutMetadata(jpeg(jfif + said + profile + adobe) + "trailer " + secret);
    REQUIRE(bare);
    CHECK(!hasSecret(*bare));
    const std::string turned = segment(
        0xE1,
        std::string{"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 32});
    CHECK(*bare == jpeg(jfif + turned + profile + adobe));
    CHECK(orientationOf(*bare) == 6);
    // What has nothing to hide stays byte by byte.
    CHECK(withoutMetadata(jpeg(jfif)) == jpeg(jfif));
    CHECK(withoutMetadata(*bare) == *bare);
    // The small picture within JFIF can show what was cut off.
    const std::string withSmall =
        segment(0xE0, std::string{"JFIF\0\x01\x02\0\0\x48\0\x48\x01\x01", 14} + "rgb");
    CHECK(withoutMetadata(jpeg(withSmall)) == jpeg(jfif));
}

TEST_CASE("PNG, WebP and GIF lose what isn't the picture") {
    const std::string gamma = chunk("gAMA", number(45455, 4));
    const std::string said = chunk("tEXt", secret) + chunk("iTXt", secret) + chunk("zTXt", secret) +
                             chunk("tIME", "1597") + chunk("prVt", secret);
    CHECK(withoutMetadata(png(4, 4, "\xFF", gamma + said) + secret) == png(4, 4, "\xFF", gamma));
    const auto turned = withoutMetadata(png(4, 4, "\xFF", chunk("eXIf", tiff(8, true))));
    REQUIRE(turned);
    CHECK(!hasSecret(*turned));
    CHECK(orientationOf(*turned) == 8);

    const std::string flags = std::string{"\x2C\0\0\0\x03\0\0\x03\0\0", 10};
    const std::string fewer = std::string{"\x20\0\0\0\x03\0\0\x03\0\0", 10};
    const std::string picture = piece("VP8L", "odd");
    CHECK(withoutMetadata(
              riff(piece("VP8X", flags) + piece("ICCP", "profile") + picture +
                   piece("EXIF", tiff(1, false)) + piece("XMP ", secret) + piece("Else", secret)) +
              secret) == riff(piece("VP8X", fewer) + piece("ICCP", "profile") + picture));
    CHECK(withoutMetadata(riff(picture)) == riff(picture));

    const std::string head{"GIF89a\x04\0\x04\0\x80\0\0rgbrgb", 19};
    const std::string image{"\x2C\0\0\0\0\x04\0\x04\0\0\x02\x02\x44\x01\0", 15};
    const std::string loop = std::string{"\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0", 19};
    const std::string control{"\x21\xF9\x04\0\0\0\0\0", 8};
    const std::string comment = std::string{"\x21\xFE"} + char(secret.size()) + secret + '\0';
    const std::string xmp =
        std::string{"\x21\xFF\x0BXMP DataXMP"} + char(secret.size()) + secret + '\0';
    CHECK(withoutMetadata(head + loop + comment + xmp + control + image + ";" + secret) ==
          head + loop + control + image + ";");
}

TEST_CASE("what is broken, or no picture, is left alone, however it is cut") {
    const std::vector<std::string> wholes{
        jpeg(jfif + segment(0xE1, std::string{"Exif\0\0", 6} + tiff(6, true))),
        png(4, 4, "\xFF", chunk("eXIf", tiff(3, false))),
        riff(piece("VP8X", std::string(10, '\0')) + piece("VP8L", "odd") +
             piece("EXIF", tiff(2, true))),
        std::string{"GIF89a\x04\0\x04\0\0\0\0\x2C\0\0\0\0\x04\0\x04\0\0\x02\x02\x44\x01\0;", 29}};
    for (const std::string& whole : wholes) {
        REQUIRE(withoutMetadata(whole));
        for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
            INFO(bytes << " of " << whole.size());
            CHECK(!withoutMetadata(whole.substr(0, bytes)));
        }
        // Whatever one byte becomes, it is read or not, and nothing else happens.
        for (std::size_t at = 0; at < whole.size(); ++at)
            for (const char byte : {'\0', '\x7F', '\xFF'}) {
                std::string other = whole;
                other[at] = byte;
                if (const auto bare = withoutMetadata(other))
                    CHECK(bare->size() <= whole.size() + 64);
            }
    }
    for (const std::string& text : {std::string{}, std::string{"hello"}, std::string(100, '\xFF'),
                                    std::string{"\xFF\xD8\xFF\xD9"}, pngHead + chunk("IEND", "")})
        CHECK(!withoutMetadata(text));
    // An orientation that is none.
    for (const unsigned wrong : {0u, 9u, 255u})
        CHECK(orientationOf(png(4, 4, "\xFF", chunk("eXIf", tiff(wrong, true)))) == 1);
}

TEST_CASE("a small picture has the proportions of the large one, and is turned as that says") {
    unsigned width = 0;
    unsigned height = 0;
    struct Row {
        unsigned width, height, smallWidth, smallHeight;
    };
    for (const Row& row :
         {Row{640, 480, 320, 240}, Row{480, 640, 240, 320}, Row{100, 50, 100, 50},
          Row{10000, 1, 320, 1}, Row{1, 1, 1, 1}, Row{4000000000u, 4000000000u, 320, 320}}) {
        fitInto(320, row.width, row.height, width, height);
        CHECK(width == row.smallWidth);
        CHECK(height == row.smallHeight);
    }
    // 1 2 3
    // 4 5 6
    const Picture picture{3, 2, 3, {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6}};
    const auto turnedTo = [&](unsigned orientation) {
        const Picture result = turned(picture, orientation);
        std::string text = std::to_string(result.width) + "x";
        for (std::size_t i = 0; i < result.pixels.size(); i += 3)
            text += char('0' + result.pixels[i]);
        return text;
    };
    CHECK(turnedTo(1) == "3x123456");
    CHECK(turnedTo(2) == "3x321654");
    CHECK(turnedTo(3) == "3x654321");
    CHECK(turnedTo(4) == "3x456123");
    CHECK(turnedTo(5) == "2x142536");
    CHECK(turnedTo(6) == "2x415263");
    CHECK(turnedTo(7) == "2x635241");
    CHECK(turnedTo(8) == "2x362514");
    Shrinker shrinker{4, 2, 2, 1, 3};
    const std::uint8_t rows[2][12] = {{0, 0, 0, 100, 0, 0, 7, 7, 7, 7, 7, 7},
                                      {0, 0, 0, 100, 0, 0, 7, 7, 7, 9, 9, 9}};
    for (const auto& row : rows) shrinker.add(row);
    CHECK(shrinker.take().pixels == std::vector<std::uint8_t>{50, 0, 0, 8, 8, 8});
}

#ifdef EPODE_TEST_IMAGE_PROGRAM

namespace {

std::string wants(std::string_view more) {
    return "upload.image_program = '" EPODE_TEST_IMAGE_PROGRAM "'\n" + std::string{more};
}
std::string fetched(TestServer& server, const std::string& path) {
    WebClient web{server};
    const auto answer = web.get(path);
    return statusOf(answer) == "200" ? bodyOf(answer) : "";
}

}  // namespace

TEST_CASE("pictures lose their metadata for the purposes that the operator names") {
    Stage stage{wants("upload.remove_image_metadata = ['message']")};
    auto& client = stage.server.login(juliet);
    const std::string picture = png(8, 8, "\xFF", chunk("tEXt", secret));
    const auto path = store(stage.server, client, fileOf("orchard.png", picture.size()), picture);
    CHECK(fetched(stage.server, path) == png(8, 8));
    WebClient web{stage.server};
    const auto got = web.get(path);
    CHECK(fieldOf(got, "Content-Length") == std::to_string(png(8, 8).size()));
    CHECK(fieldOf(got, "ETag") == "\"" + encodeHex(digest(Hash::Sha256, png(8, 8))) + "\"");
    CHECK(stage.kept() == 1);
    CHECK(stage.incoming() == 0);
    // What is counted is what is kept.
    FileStore files{stage.server.server().database()};
    const auto usage = stage.server.wait(files.usage());
    REQUIRE(usage.size() == 1);
    CHECK(usage[0].bytes == std::int64_t(png(8, 8).size()));
    // Another purpose; what is encrypted; what only begins like a picture.
    const auto profile =
        store(stage.server, client, fileOf("me.png", picture.size()), picture, purpose("profile"));
    CHECK(fetched(stage.server, profile) == picture);
    const std::string noise = std::string(3000, '\x8C') + secret;
    CHECK(fetched(stage.server, store(stage.server, client, fileOf("x", noise.size()), noise)) ==
          noise);
    for (const std::string& broken : {pngHead + noise, "\xFF\xD8\xFF" + noise, "GIF89a" + noise,
                                      picture.substr(0, picture.size() / 2)}) {
        const auto kept = store(stage.server, client, fileOf("b.png", broken.size()), broken);
        CHECK(fetched(stage.server, kept) == broken);
    }
    // Too small to tell.
    CHECK(fetched(stage.server, store(stage.server, client, fileOf("t", 3), "\xFF\xD8\xFF")) ==
          "\xFF\xD8\xFF");
}

TEST_CASE("without such a wish every byte stays") {
    Stage stage{wants("")};
    auto& client = stage.server.login(juliet);
    const std::string picture = png(8, 8, "\xFF", chunk("tEXt", secret));
    const auto path = store(stage.server, client, fileOf("orchard.png", picture.size()), picture);
    CHECK(fetched(stage.server, path) == picture);
    CHECK(getStatus(stage.server, path + "?thumbnail") == "404");
}

TEST_CASE("a picture gets a small one, which its sender learns of, and which goes with it") {
    Stage stage{
        wants("upload.thumbnails = true\nupload.thumbnail_side = 64\n"
              "upload.remove_image_metadata = ['message']\nupload.image_pixels_max = 1000000")};
    auto& client = stage.server.login(juliet);
    const auto upload = [&](const std::string& picture) {
        const Slot slot = slotFor(client, fileOf("orchard.png", picture.size()));
        WebClient web{stage.server};
        const auto answer = put(web, slot.put, picture);
        CHECK(statusOf(answer) == "201");
        return std::pair{slot.get, bodyOf(answer)};
    };
    const auto [path, said] = upload(png(200, 100, "\xFF", chunk("tEXt", secret)));
    if (!canMakeThumbnails()) return;  // built without the libraries
    CHECK(said == "<thumbnail xmlns='urn:xmpp:thumbs:1' uri='" + std::string{site} + path +
                      "?thumbnail' media-type='image/jpeg' width='64' height='32'/>");
    CHECK(fetched(stage.server, path) == png(200, 100));
    WebClient web{stage.server};
    const auto small = web.get(path + "?thumbnail");
    CHECK(statusOf(small) == "200");
    CHECK(fieldOf(small, "Content-Type") == "image/jpeg");
    CHECK(has(small, "Content-Security-Policy: default-src 'none'"));
    const std::string jpegBytes = bodyOf(small);
    CHECK(formatOf(jpegBytes) == Format::Jpeg);
    CHECK(stage.kept() == 2);
    // The small one of a JPEG that lies on its side stands upright.
    const std::string lying = jpegBytes.substr(0, 2) +
                              segment(0xE1, std::string{"Exif\0\0", 6} + tiff(6, true)) +
                              jpegBytes.substr(2);
    const auto [second, saidOfIt] = upload(lying);
    CHECK(has(saidOfIt, "width='32' height='64'"));
    CHECK(orientationOf(fetched(stage.server, second)) == 6);
    CHECK(!hasSecret(fetched(stage.server, second)));
    // What can be seen through stays so.
    CHECK(has(upload(png(100, 100, "\x80")).second, "media-type='image/png'"));
    // More pixels than it may have; and what nobody can read.
    CHECK(upload(png(1001, 1000)).second == "");
    CHECK(upload(pngHead + std::string(500, 'x')).second == "");
    const std::string cut = jpegBytes.substr(0, jpegBytes.size() / 2);
    CHECK(fetched(stage.server, upload(cut).first) == cut);
    // All of it goes.
    stage.server.advance(std::chrono::hours{24 * 31});
    CHECK(stage.kept() == 0);
    CHECK(getStatus(stage.server, path + "?thumbnail") == "404");
}

TEST_CASE("a picture that claims to be enormous costs its process and nothing else") {
    Stage stage{
        wants("upload.thumbnails = true\nupload.image_pixels_max = 1000000000\n"
              "upload.image_memory_max = '64 MiB'")};
    auto& client = stage.server.login(juliet);
    // 900 million pixels in some bytes.
    std::string bomb = png(8, 8);
    const std::string facts =
        number(30000, 4) + number(30000, 4) + std::string{"\x08\x06\0\0\0", 5};
    bomb.replace(pngHead.size(), 25, chunk("IHDR", facts));
    for (int i = 0; i < 2; ++i) {
        const auto path = store(stage.server, client, fileOf("bomb.png", bomb.size()), bomb);
        CHECK(fetched(stage.server, path) == bomb);
        CHECK(getStatus(stage.server, path + "?thumbnail") == "404");
    }
    CHECK(stage.incoming() == 0);
    const std::string good = png(100, 100);
    const auto path = store(stage.server, client, fileOf("good.png", good.size()), good);
    CHECK((getStatus(stage.server, path + "?thumbnail") == "200") == canMakeThumbnails());
}

TEST_CASE("a process that takes too long, too much, or isn't there, keeps nobody from uploading") {
    const std::string picture = png(900, 900);
    const auto toml = GENERATE(std::string{"upload.image_memory_max = '32 MiB'"},
                               std::string{"upload.image_bytes_max = '1 KiB'"},
                               std::string{"upload.image_program = '/bin/false'"},
                               std::string{"upload.image_program = '/nowhere/at/all'"});
    Stage stage{(has(toml, "program") ? toml : wants(toml)) +
                "\nupload.thumbnails = true\nupload.remove_image_metadata = ['message']"};
    setLogLevel("plugin.upload", LogLevel::Off);
    auto& client = stage.server.login(juliet);
    const auto path = store(stage.server, client, fileOf("large.png", picture.size()), picture);
    CHECK(fetched(stage.server, path) == picture);
    CHECK(stage.incoming() == 0);
    setLogLevel("plugin.upload", LogLevel::Warning);
}

#endif
