#include "tests/support/catch.h"

#include "core/rsm.h"

#include <string>

using namespace epode;

namespace {

std::variant<PageRequest, StanzaError> read(const std::string& set) {
    const auto document = parseXml("<query xmlns='urn:xmpp:mam:2'>" + set + "</query>");
    REQUIRE(document);
    return readPageRequest(**document);
}

std::string set(const std::string& inner) {
    return "<set xmlns='http://jabber.org/protocol/rsm'>" + inner + "</set>";
}

PageRequest asked(const std::string& inner) { return std::get<PageRequest>(read(set(inner))); }

}  // namespace

TEST_CASE("the requests of XEP-0059, 2 are read") {
    CHECK_FALSE(std::get<PageRequest>(read("")).isAsked);
    CHECK_FALSE(std::get<PageRequest>(read("<set xmlns='urn:x'><max>x</max></set>")).isAsked);
    CHECK(asked("").isAsked);
    CHECK_FALSE(asked("").max);
    CHECK(asked("<max>10</max>").max == 10);
    CHECK(asked("<max>0</max>").max == 0);
    CHECK(asked("<max>99999999999999999999</max>").max == UINT32_MAX);

    const auto after = asked("<max>10</max><after>peterpan@neverland.lit</after>");
    CHECK(after.after == "peterpan@neverland.lit");
    CHECK_FALSE(after.isBackward());

    const auto before = asked("<max>10</max><before>peter@pixyland.org</before>");
    CHECK(before.before == "peter@pixyland.org");
    CHECK(before.isBackward());
    CHECK_FALSE(before.isLastPage);

    const auto last = asked("<max>10</max><before/>");
    CHECK(last.isLastPage);
    CHECK(last.isBackward());
    CHECK_FALSE(last.before);

    CHECK(asked("<max>10</max><index>371</index>").index == 371);
    CHECK_FALSE(asked("<after/>").after);

    const auto between = asked("<after>a</after><before>b</before>");
    CHECK(between.after == "a");
    CHECK(between.before == "b");
}

TEST_CASE("a request that makes no sense is a bad request") {
    const auto row = GENERATE(values<std::string>(
        {"<max/>", "<max>ten</max>", "<max>-1</max>", "<max>1.5</max>", "<max> 1</max>",
         "<max>0x1</max>", "<max>+1</max>", "<index/>", "<index>-1</index>", "<index>x</index>",
         "<index>1</index><after>a</after>", "<index>1</index><before>a</before>",
         "<index>1</index><before/>"}));
    CAPTURE(row);
    const auto result = read(set(row));
    REQUIRE(std::holds_alternative<StanzaError>(result));
    CHECK(std::get<StanzaError>(result).condition == Condition::BadRequest);
}

TEST_CASE("a page is written as in XEP-0059, 2.2") {
    const auto written = [](const Page& page) {
        Document query{"query", "jabber:iq:search"};
        addPage(*query, page);
        return toXml(*query->firstChild(), "http://jabber.org/protocol/rsm");
    };
    CHECK(written({"stpeter@jabber.org", "peterpan@neverland.lit", 0, 800}) ==
          "<set><first index='0'>stpeter@jabber.org</first>"
          "<last>peterpan@neverland.lit</last><count>800</count></set>");
    CHECK(written({"a", "a", {}, {}}) == "<set><first>a</first><last>a</last></set>");
    CHECK(written({.count = 790}) == "<set><count>790</count></set>");
    CHECK(written({}) == "<set/>");
}
