// RFC 7692: what is agreed on, and messages that are compressed each for itself.
#include "net/message_deflate.h"
#include "tests/support/catch.h"

#include <string>
#include <vector>

using namespace epode;

TEST_CASE("the first offer that can be taken is taken") {
    struct Row {
        std::string offers;
        unsigned bits;
        std::string answer;
    };
    const std::string plain =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    const std::vector<Row> rows{
        {"permessage-deflate", 15, plain},
        {"permessage-deflate; client_max_window_bits", 15, plain},
        {"PerMessage-Deflate;Client_Max_Window_Bits = 10 ; server_no_context_takeover", 15, plain},
        {"permessage-deflate; server_max_window_bits=10", 10,
         plain + "; server_max_window_bits=10"},
        {"permessage-deflate; server_max_window_bits=\"9\"", 9,
         plain + "; server_max_window_bits=9"},
        {"x-webkit-deflate-frame, permessage-deflate", 15, plain},
        // 8 is more than zlib can do; without it there is an offer that can be taken.
        {"permessage-deflate; server_max_window_bits=8, permessage-deflate", 15, plain},
        {"permessage-deflate; server_max_window_bits=8", 0, ""},
        {"permessage-deflate; server_max_window_bits", 0, ""},
        {"permessage-deflate; server_max_window_bits=16", 0, ""},
        {"permessage-deflate; server_max_window_bits=010", 0, ""},
        {"permessage-deflate; server_max_window_bits=1x", 0, ""},
        {"permessage-deflate; client_max_window_bits=7", 0, ""},
        {"permessage-deflate; client_max_window_bits=\"", 0, ""},
        {"permessage-deflate; client_no_context_takeover=1", 0, ""},
        {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", 0, ""},
        {"permessage-deflate; something", 0, ""},
        {"permessage-deflate;", 0, ""},
        {"permessage-bzip2", 0, ""},
        {"\"permessage-deflate\"", 0, ""},
        {"", 0, ""},
    };
    for (const Row& row : rows) {
        INFO(row.offers);
        const auto agreement = agreeOnDeflate(row.offers);
        CHECK(agreement.windowBits == row.bits);
        CHECK(agreement.answer == row.answer);
    }
    std::string many;
    for (int i = 0; i < 100; ++i) many += "x" + std::to_string(i) + ",";
    CHECK(agreeOnDeflate(many + "permessage-deflate").windowBits == 0);
}

TEST_CASE("what others have compressed is read") {
    const auto bytes = [](std::vector<unsigned> numbers) {
        std::string text;
        for (const unsigned number : numbers) text += char(number);
        return text;
    };
    struct Row {
        std::string compressed;
        std::string text;
    };
    // The examples of RFC 7692, 7.2.3: one block, no compression, a last block, two blocks.
    const std::vector<Row> rows{
        {bytes({0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}), "Hello"},
        {bytes({0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}), "Hello"},
        {bytes({0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}), "Hello"},
        {bytes({0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00}),
         "Hello"},
        {bytes({0x00}), ""},
        {"", ""},
    };
    std::string text;
    for (const Row& row : rows) {
        CHECK(inflateMessage(row.compressed, 100, text) == Inflated::Whole);
        CHECK(text == row.text);
    }
    // Each stands for itself: what refers to an earlier message is broken.
    CHECK(inflateMessage(bytes({0xf2, 0x00, 0x11, 0x00, 0x00}), 100, text) == Inflated::Broken);
    CHECK(inflateMessage("that is nothing of the kind", 100, text) == Inflated::Broken);
    CHECK(inflateMessage(bytes({0xff, 0xff}), 100, text) == Inflated::Broken);
    // And the next is read again.
    CHECK(inflateMessage(rows[0].compressed, 100, text) == Inflated::Whole);
}

TEST_CASE("a message is no larger than it may be, however well it was compressed") {
    const std::string large(1'000'000, 'x');
    std::string bomb;
    REQUIRE(deflateMessage(large, 15, bomb));
    CHECK(bomb.size() < 2000);
    std::string text;
    CHECK(inflateMessage(bomb, 262144, text) == Inflated::TooLarge);
    // It was stopped on the way.
    CHECK(text.size() < 300'000);
    CHECK(inflateMessage(bomb, large.size() - 1, text) == Inflated::TooLarge);
    CHECK(inflateMessage(bomb, large.size(), text) == Inflated::Whole);
    CHECK(text == large);
}

TEST_CASE("what is compressed comes back, with every window, and what gains nothing stays") {
    std::string stanza =
        "<message xmlns='jabber:client' from='juliet@capulet.example/balcony' "
        "to='romeo@montague.example/garden' type='chat'><body>";
    for (int i = 0; i < 40; ++i)
        stanza += "wherefore art thou Romeo " + std::to_string(i * 7919) + " ";
    stanza += "</body></message>";
    std::string packed;
    std::string text;
    for (unsigned bits = 9; bits <= 15; ++bits) {
        REQUIRE(deflateMessage(stanza, bits, packed));
        CHECK(packed.size() < stanza.size());
        CHECK(inflateMessage(packed, stanza.size(), text) == Inflated::Whole);
        CHECK(text == stanza);
    }
    CHECK(!deflateMessage("short", 15, packed));
    CHECK(!deflateMessage("", 15, packed));
    std::string noise;
    for (unsigned i = 0, x = 1; i < 500; ++i) noise += char((x = x * 1103515245 + 12345) >> 16);
    CHECK(!deflateMessage(noise, 15, packed));
}
