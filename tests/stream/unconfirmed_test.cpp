// What goes back to its sender when a component is lost.
#include "stream/unconfirmed.h"

#include "tests/support/catch.h"

using namespace epode;

namespace {

constexpr SteadyTime start{};
constexpr std::size_t most = 3;

StanzaPtr stanza(const std::string& xml) { return Stanza::parse(xml); }
StanzaPtr message(const std::string& id) {
    return stanza("<message from='a@b' to='c@d' id='" + id + "'><body>x</body></message>");
}
StanzaPtr request(const std::string& id) {
    return stanza("<iq type='get' from='a@b/1' to='c@d' id='" + id + "'><x xmlns='urn:x'/></iq>");
}

std::string left(Unconfirmed& unconfirmed) {
    std::string ids;
    unconfirmed.takeAll([&ids](const StanzaPtr& one, const Hold&) { ids += one->id(); });
    return ids;
}

}  // namespace

TEST_CASE("a message is confirmed by a ping that was written after it") {
    Unconfirmed unconfirmed;
    unconfirmed.written(message("1"), {}, start, most);
    CHECK(unconfirmed.hasUnasked());
    unconfirmed.asked();
    CHECK(!unconfirmed.hasUnasked());
    unconfirmed.written(message("2"), {}, start, most);
    CHECK(unconfirmed.hasUnasked());
    unconfirmed.confirmed();
    CHECK(unconfirmed.size() == 1);
    unconfirmed.confirmed();  // once more says nothing new
    CHECK(left(unconfirmed) == "2");
    CHECK(!unconfirmed.hasMessages());
    CHECK(!unconfirmed.hasUnasked());
}

TEST_CASE("a request is confirmed by its answer alone") {
    Unconfirmed unconfirmed;
    unconfirmed.written(request("1"), {}, start, most);
    unconfirmed.written(request("2"), {}, start, most);
    unconfirmed.asked();
    unconfirmed.confirmed();
    for (const auto* other : {
             "<iq type='result' from='c@d' to='a@b/2' id='1'/>",
             "<iq type='result' from='c@d/x' to='a@b/1' id='1'/>",
             "<iq type='result' from='c@d' to='a@b/1' id='3'/>",
             "<iq type='get' from='c@d' to='a@b/1' id='1'><x xmlns='urn:x'/></iq>",
             "<message from='c@d' to='a@b/1' id='1'/>",
         })
        unconfirmed.received(*stanza(other));
    CHECK(unconfirmed.size() == 2);
    unconfirmed.received(*stanza("<iq type='error' from='c@d' to='a@b/1' id='1'/>"));
    unconfirmed.received(*stanza("<iq type='error' from='c@d' to='a@b/1' id='1'/>"));
    CHECK(left(unconfirmed) == "2");
    unconfirmed.received(*stanza("<iq type='result' from='c@d' to='a@b/1' id='2'/>"));
}

TEST_CASE("what needs no answer is not kept") {
    Unconfirmed unconfirmed;
    for (const auto* one : {
             "<presence from='a@b' to='c@d'/>",
             "<presence type='subscribe' from='a@b' to='c@d'/>",
             "<iq type='result' from='a@b' to='c@d' id='1'/>",
             "<iq type='error' from='a@b' to='c@d' id='1'/>",
             "<message type='error' from='a@b' to='c@d' id='1'/>",
         })
        unconfirmed.written(stanza(one), {}, start, most);
    CHECK(unconfirmed.size() == 0);
}

TEST_CASE("of more than there may be the oldest is forgotten") {
    Unconfirmed unconfirmed;
    for (const auto* id : {"1", "2", "3", "4"}) unconfirmed.written(message(id), {}, start, most);
    for (const auto* id : {"a", "b", "c", "d"}) unconfirmed.written(request(id), {}, start, most);
    unconfirmed.received(*stanza("<iq type='result' from='c@d' to='a@b/1' id='a'/>"));
    unconfirmed.written(request("d"), {}, start, most);  // the same once more is one
    CHECK(unconfirmed.size() == 6);
    CHECK(left(unconfirmed) == "234bcd");
}

TEST_CASE("a stanza with a huge id is nobody's burden") {
    Unconfirmed unconfirmed;
    unconfirmed.written(message(std::string(1025, 'i')), {}, start, most);
    unconfirmed.written(request(std::string(1025, 'i')), {}, start, most);
    CHECK(unconfirmed.size() == 0);
    const std::string longish(1024, 'i');
    unconfirmed.written(request(longish), {}, start, most);
    unconfirmed.written(request(longish.substr(1) + "j"), {}, start, most);
    CHECK(unconfirmed.size() == 2);
    unconfirmed.received(*stanza("<iq type='result' from='c@d' to='a@b/1' id='" + longish + "'/>"));
    CHECK(left(unconfirmed) == longish.substr(1) + "j");
}

TEST_CASE("of large stanzas no more is kept than what an error is made of") {
    Unconfirmed unconfirmed;
    const std::string text(100000, 'x');
    for (const auto& xml :
         {"<message type='chat' from='a@b' to='c@d' id='m'><body>" + text + "</body></message>",
          "<iq type='set' from='a@b/1' to='c@d' id='r'><x xmlns='urn:x'>" + text + "</x></iq>"}) {
        auto large = stanza(xml);
        const std::weak_ptr<const Stanza> seen = large;
        unconfirmed.written(large, {}, start, most);
        large.reset();
        CHECK(seen.expired());
    }
    std::string errors;
    unconfirmed.takeAll([&errors](const StanzaPtr& one, const Hold&) {
        errors += one->error({Condition::RemoteServerTimeout, ""})->toXml("jabber:client");
    });
    CHECK(errors.find("<message from='c@d' to='a@b' id='m' type='error'>") != std::string::npos);
    CHECK(errors.find("<iq from='c@d' to='a@b/1' id='r' type='error'>") != std::string::npos);
}
