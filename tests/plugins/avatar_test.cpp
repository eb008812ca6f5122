// Pictures of people (XEP-0084, XEP-0153, XEP-0398).
#include "core/base64.h"
#include "core/digest.h"
#include "plugins/avatar/image.h"
#include "tests/plugins/pubsub_support.h"

using namespace epode;
using namespace std::literals;

namespace {

const std::string dataNode = "urn:xmpp:avatar:data";
const std::string metadataNode = "urn:xmpp:avatar:metadata";
const std::string juliets = "juliet@capulet.example";

// Heads of files, 64 pixels wide and 32 high.
const std::string png = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x20rest of it"s;
const std::string gif = "GIF89a\x40\0\x20\0 and more"s;
const std::string jpeg =
    "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xc0\0\x11\x08\0\x20\0\x40\3rest"s;
const std::string webp = "RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x1f\0\0rest"s;

std::string hashOf(const std::string& bytes) { return encodeHex(digest(Hash::Sha1, bytes)); }

std::string dataOf(const std::string& bytes) {
    return "<data xmlns='" + dataNode + "'>" + encodeBase64(bytes) + "</data>";
}
std::string metadataOf(const std::string& bytes, const std::string& type) {
    return "<metadata xmlns='" + metadataNode + "'><info bytes='" + std::to_string(bytes.size()) +
           "' id='" + hashOf(bytes) + "' type='" + type + "'/></metadata>";
}
std::string publishData(const std::string& bytes, const Fields& options = {}) {
    return publish(dataNode, hashOf(bytes), dataOf(bytes), options);
}
std::string publishMetadata(const std::string& bytes, const std::string& type,
                            const Fields& options = {}) {
    return publish(metadataNode, hashOf(bytes), metadataOf(bytes, type), options);
}
const Fields open = {{"access_model", "open"}};

std::string vcardWith(const std::string& bytes, const std::string& type = {}) {
    return "<vCard xmlns='vcard-temp'><FN>Juliet</FN><PHOTO>" +
           (type.empty() ? "" : "<TYPE>" + type + "</TYPE>") + "<BINVAL>" + encodeBase64(bytes) +
           "</BINVAL></PHOTO></vCard>";
}
const std::string askVcard = "<vCard xmlns='vcard-temp'/>";

// "type bytes" of the picture in a vCard, or "-".
std::string pictureIn(const std::string& answer) {
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return outcome(answer);
    const Element* photo = (*stanza)->firstChild()->child("PHOTO");
    if (!photo) return "-";
    return std::string{photo->childText("TYPE")} + " " +
           decodeBase64(photo->childText("BINVAL")).value_or("bad");
}

// What the next presence of this client says: a hash, "" for no picture, "-" for nothing.
std::string photoIn(const std::string& xml) {
    const auto stanza = parseXml(xml, ns::client);
    if (!stanza || (*stanza)->name() != "presence") return "no presence";
    const Element* x = (*stanza)->child("x", "vcard-temp:x:update");
    if (!x) return "-";
    return x->child("photo") ? std::string{x->childText("photo")} : "no photo";
}
std::vector<std::string> photosSeen(TestClient& client, const std::string& from) {
    std::vector<std::string> seen;
    for (const auto& xml : client.all()) {
        const auto stanza = parseXml(xml, ns::client);
        if (stanza && (*stanza)->name() == "presence" && (*stanza)->get("from") == from &&
            (*stanza)->get("type").empty())
            seen.push_back(photoIn(xml));
    }
    return seen;
}
std::string update(const std::string& content) {
    return "<presence><x xmlns='vcard-temp:x:update'>" + content + "</x></presence>";
}
using Photos = std::vector<std::string>;

}  // namespace

TEST_CASE("pictures are known by their first bytes") {
    using avatar::dimensionsOf;
    using avatar::typeOf;
    struct Row {
        std::string bytes;
        std::string type;
        bool hasSize = true;
    };
    for (const auto& row : {
             Row{png, "image/png"},
             Row{gif, "image/gif"},
             Row{"GIF87a\x40\0\x20\0"s, "image/gif"},
             Row{jpeg, "image/jpeg"},
             Row{webp, "image/webp"},
             Row{"\xff\xd8\xff"s, "image/jpeg", false},
             Row{"\xff\xd8\xff\xe0\0\0\xff\xe0\0\0"s, "image/jpeg", false},
             Row{png.substr(0, 20), "image/png", false},
             Row{webp.substr(0, 20), "image/webp", false},
             Row{"GIF89a", "image/gif", false},
             Row{"GIF89a\0\0\0\0"s, "image/gif", false},
             // None of them.
             Row{"", ""},
             Row{"\x89PNG", ""},
             Row{"GIF88a", ""},
             Row{"RIFF\x40\0\0\0WAVE"s, ""},
             Row{"BM and more", ""},
             Row{"<svg xmlns='http://www.w3.org/2000/svg'/>", ""},
             Row{"\0\0\0 ftypavif"s, ""},
         }) {
        INFO(encodeHex(row.bytes));
        CHECK(typeOf(row.bytes).value_or("") == row.type);
        const auto size = dimensionsOf(row.bytes);
        REQUIRE(size.has_value() == (row.hasSize && !row.type.empty()));
        if (!size) continue;
        CHECK(size->width == 64);
        CHECK(size->height == 32);
    }
    CHECK(avatar::decodeLoosely(" aGVs\r\n bG8= ") == "hello");
    CHECK_FALSE(avatar::decodeLoosely("aGVsbG8"));
    CHECK_FALSE(avatar::decodeLoosely("a*b="));
}

TEST_CASE("a picture that is published is in the vCard, with the hash in presence") {
    TestServer server{"", 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    CHECK(outcome(juliet.ask("set", publishData(png, open))) == "result");
    CHECK(outcome(juliet.ask("set", publishMetadata(png, "image/png", open))) == "result");
    CHECK(photosSeen(romeo, juliet.jid()) == Photos{hashOf(png)});
    CHECK(pictureIn(romeo.ask("get", askVcard, juliets)) == "image/png " + png);
    CHECK(pictureIn(juliet.ask("get", askVcard)) == "image/png " + png);

    // Every presence has it, also the directed one of somebody who joins a room.
    juliet.send("<presence><show>away</show></presence>");
    juliet.send("<presence to='romeo@montague.example/orchard'/>");
    CHECK(photosSeen(romeo, juliet.jid()) == Photos{hashOf(png), hashOf(png)});

    server.restart();
    auto& tybalt = server.login("tybalt@capulet.example/street");
    auto& again = server.login("juliet@capulet.example/chamber");
    again.send("<presence to='tybalt@capulet.example/street'/>");
    CHECK(photosSeen(tybalt, again.jid()) == Photos{hashOf(png)});
    CHECK(pictureIn(tybalt.ask("get", askVcard, juliets)) == "image/png " + png);

    // Another one, and none.
    romeo.forget();
    again.ask("set", publishData(gif));
    again.ask("set", publishMetadata(gif, "image/gif"));
    CHECK(pictureIn(tybalt.ask("get", askVcard, juliets)) == "image/gif " + gif);
    again.ask("set", publish(metadataNode, "", "<metadata xmlns='" + metadataNode + "'/>"));
    CHECK(outcome(tybalt.ask("get", askVcard, juliets)) == "cancel service-unavailable");
    again.send("<presence/>").forget();
}

TEST_CASE("presence says what XEP-0398 wants it to say") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    const auto after = [&](const std::string& presence) {
        romeo.forget();
        juliet.send(presence);
        const auto seen = photosSeen(romeo, juliet.jid());
        return seen.size() == 1 ? seen.front() : "no presence";
    };
    // No picture: nothing is added, and what is wrong is put right.
    CHECK(after("<presence/>") == "-");
    CHECK(after(update("")) == "");
    CHECK(after(update("<photo/>")) == "");
    CHECK(after(update("<photo>" + hashOf(gif) + "</photo>")) == "");

    juliet.ask("set", publishData(png));
    juliet.ask("set", publishMetadata(png, "image/png"));
    const auto hash = hashOf(png);
    CHECK(after("<presence/>") == hash);
    CHECK(after(update("")) == hash);
    CHECK(after(update("<photo>" + hashOf(gif) + "</photo>")) == hash);
    CHECK(after(update("<photo>" + hash + "</photo>")) == hash);
    CHECK(after(update("<photo/>")) == "");

    // Who shows none is not made to by a new picture; others show it at once.
    juliet.ask("set", publishData(gif));
    juliet.ask("set", publishMetadata(gif, "image/gif"));
    CHECK(photosSeen(romeo, juliet.jid()).empty());
    CHECK(after("<presence/>") == hashOf(gif));
    juliet.ask("set", publish(metadataNode, "", "<metadata xmlns='" + metadataNode + "'/>"));
    CHECK(photosSeen(romeo, juliet.jid()) == Photos{""});
    juliet.ask("set", publishData(png));
    juliet.ask("set", publishMetadata(png, "image/png"));
    CHECK(photosSeen(romeo, juliet.jid()) == Photos{hash});
    juliet.ask("set", ownerPubsub("<delete node='" + metadataNode + "'/>"));
    CHECK(photosSeen(romeo, juliet.jid()) == Photos{""});
    // Other kinds of presence are left alone.
    romeo.forget();
    juliet.send("<presence type='unavailable'/>");
    for (const auto& xml : romeo.all()) CHECK(xml.find("x:update") == std::string::npos);
}

TEST_CASE("presence that waits for the hash keeps its order") {
    TestServer server{"", 2};
    auto& romeo = server.login("romeo@montague.example/orchard");
    {
        auto& juliet = server.login("juliet@capulet.example/balcony");
        befriend(juliet, romeo);
        juliet.ask("set", publishData(png));
        juliet.ask("set", publishMetadata(png, "image/png"));
    }
    server.restart();
    auto& again = server.login("romeo@montague.example/orchard");
    auto& juliet = server.login("juliet@capulet.example/balcony", false);
    again.forget();
    juliet.send(
        "<presence><show>away</show></presence><presence><show>xa</show></presence>"
        "<presence type='unavailable'/>");
    std::vector<std::string> seen;
    for (const auto& xml : again.all()) {
        const auto stanza = parseXml(xml, ns::client);
        if ((*stanza)->name() != "presence" || (*stanza)->get("from") != juliet.jid()) continue;
        seen.push_back(std::string{(*stanza)->childText("show")} +
                       std::string{(*stanza)->get("type")});
        if ((*stanza)->get("type").empty()) CHECK(photoIn(xml) == hashOf(png));
    }
    CHECK(seen == std::vector<std::string>{"away", "xa", "unavailable"});
}

TEST_CASE("a picture in a vCard is published, for those who want to know") {
    TestServer server{"", 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    befriend(juliet, romeo);
    wants(romeo, {metadataNode});
    romeo.forget();
    struct Row {
        std::string bytes;
        std::string said;
        std::string type;
    };
    for (const auto& row : {
             Row{png, "image/png", "image/png"},
             Row{jpeg, "image/jpg", "image/jpeg"},
             Row{gif, "", "image/gif"},
             Row{webp, "image/webp", "image/webp"},
         }) {
        INFO(row.type);
        const auto hash = hashOf(row.bytes);
        CHECK(outcome(juliet.ask("set", vcardWith(row.bytes, row.said))) == "result");
        CHECK(photosSeen(romeo, juliet.jid()) == Photos{hash});
        const auto metadata = tybalt.ask("get", items(metadataNode), juliets);
        CHECK(metadata.find("bytes='" + std::to_string(row.bytes.size()) + "'") !=
              std::string::npos);
        CHECK(metadata.find("type='" + row.type + "'") != std::string::npos);
        CHECK(metadata.find("width='64'") != std::string::npos);
        CHECK(metadata.find("height='32'") != std::string::npos);
        CHECK(listed(tybalt.ask("get", items(dataNode, "<item id='" + hash + "'/>"), juliets)) ==
              hash + ":" + encodeBase64(row.bytes));
        CHECK(pictureIn(tybalt.ask("get", askVcard, juliets)) == row.type + " " + row.bytes);
    }
    // The same again is no news.
    juliet.ask("set", vcardWith(webp));
    CHECK(events(romeo).empty());
    // None, in the ways of XEP-0153.
    juliet.ask("set", "<vCard xmlns='vcard-temp'><FN>J</FN><PHOTO><BINVAL/></PHOTO></vCard>");
    CHECK(photosSeen(romeo, juliet.jid()) == Photos{""});
    CHECK(pictureIn(tybalt.ask("get", askVcard, juliets)) == "-");
    juliet.ask("set", vcardWith(png));
    juliet.ask("set", "<vCard xmlns='vcard-temp'><FN>J</FN></vCard>");
    CHECK(pictureIn(tybalt.ask("get", askVcard, juliets)) == "-");
}

TEST_CASE("what is no picture is refused, and the earlier one stays") {
    TestServer server{"[avatar]\nbytes_max = '1 KiB'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set", publishData(png));
    juliet.ask("set", publishMetadata(png, "image/png"));
    const std::string invalid = "modify bad-request invalid-payload";
    const std::string large = gif + std::string(1025 - gif.size(), 'x');
    const auto metadata = [](const std::string& content) {
        return publish(metadataNode, "x",
                       "<metadata xmlns='" + metadataNode + "'>" + content + "</metadata>");
    };
    for (const auto& [bad, expected] : std::vector<std::pair<std::string, std::string>>{
             {publish(dataNode, hashOf(gif), dataOf(png)), invalid},
             {publish(dataNode, "", dataOf(gif)), invalid},
             {publish(dataNode, "nonsense", dataOf(gif)), invalid},
             {publish(dataNode, hashOf("plain text"), dataOf("plain text")), invalid},
             {publish(dataNode, hashOf(""), dataOf("")), invalid},
             {publish(dataNode, hashOf(gif), "<data xmlns='" + dataNode + "'>*</data>"), invalid},
             {publish(dataNode, hashOf(gif), note("other")), invalid},
             {publishData(large), "modify not-acceptable"},
             {publishMetadata(gif, "image/gif"), "modify not-acceptable"},
             {publishMetadata(png, "image/gif"), invalid},
             {metadata("<info id='nonsense' type='image/png' bytes='1'/>"), invalid},
             {metadata("<info type='image/png' bytes='1'/>"), invalid},
             {publish(metadataNode, "x", note("other")), invalid},
             {vcardWith("plain text"), invalid},
             {vcardWith(png, "image/gif"), invalid},
             {vcardWith(large), "modify not-acceptable"},
             {"<vCard xmlns='vcard-temp'><PHOTO><BINVAL>*</BINVAL></PHOTO></vCard>", invalid},
         }) {
        INFO(bad);
        CHECK(failure(juliet.ask("set", bad)) == expected);
    }
    CHECK(pictureIn(juliet.ask("get", askVcard)) == "image/png " + png);
    // Metadata of a picture that stands elsewhere is its publisher's own matter.
    CHECK(outcome(juliet.ask("set", metadata("<info id='" + hashOf(gif) +
                                             "' type='image/gif' "
                                             "bytes='9' url='https://img.example/a.gif'/>"))) ==
          "result");
    CHECK(pictureIn(juliet.ask("get", askVcard)) == "cancel item-not-found");
}

TEST_CASE("picture and metadata may be sent without waiting in between") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.forget();
    juliet.send("<iq type='set' id='1'>" + publishData(png) + "</iq><iq type='set' id='2'>" +
                publishMetadata(png, "image/png") + "</iq>");
    int results = 0;
    for (const auto& xml : juliet.all()) results += xml.find("type='result'") != std::string::npos;
    CHECK(results == 2);
    CHECK(pictureIn(juliet.ask("get", askVcard)) == "image/png " + png);
}

TEST_CASE("a picture for contacts is not shown to strangers in the vCard") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    befriend(juliet, romeo);
    juliet.ask("set", "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>");
    juliet.ask("set", publishData(png, {{"access_model", "presence"}}));
    juliet.ask("set", publishMetadata(png, "image/png", {{"access_model", "presence"}}));
    CHECK(pictureIn(romeo.ask("get", askVcard, juliets)) == "image/png " + png);
    CHECK(pictureIn(tybalt.ask("get", askVcard, juliets)) == "-");
    // A client that has only the old way does not open it.
    juliet.ask("set", vcardWith(gif));
    CHECK(pictureIn(romeo.ask("get", askVcard, juliets)) == "image/gif " + gif);
    CHECK(pictureIn(tybalt.ask("get", askVcard, juliets)) == "-");
}

TEST_CASE("without personal eventing the picture is in the vCard as it was given") {
    TestServer server{"[plugins]\ndisabled = ['pubsub']"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(outcome(juliet.ask("set", vcardWith(png, "image/png"))) == "result");
    CHECK(pictureIn(juliet.ask("get", askVcard)) == "image/png " + png);
    const auto about =
        juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", juliets);
    CHECK(about.find("pep-vcard-conversion") == std::string::npos);
}
