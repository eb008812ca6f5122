#include "tests/support/catch.h"

#include "core/caps.h"

#include <string>

using namespace epode;

namespace {

Document parsed(std::string_view xml) {
    auto document = parseXml(xml);
    REQUIRE(document);
    return std::move(*document);
}

std::string query(const std::string& inner) {
    return "<query xmlns='http://jabber.org/protocol/disco#info'>" + inner + "</query>";
}

std::string extension(const std::string& fields) {
    return "<x xmlns='jabber:x:data' type='result'>" + fields + "</x>";
}

const std::string softwareType =
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>";

const std::string exodus = query(
    "<identity category='client' type='pc' name='Exodus 0.9.1'/>"
    "<feature var='http://jabber.org/protocol/muc'/>"
    "<feature var='http://jabber.org/protocol/disco#items'/>"
    "<feature var='http://jabber.org/protocol/caps'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/>");

const std::string psi = query(
    "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>"
    "<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>"
    "<feature var='http://jabber.org/protocol/caps'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/>"
    "<feature var='http://jabber.org/protocol/disco#items'/>"
    "<feature var='http://jabber.org/protocol/muc'/>" +
    extension("<field var='software_version'><value>0.11</value></field>" + softwareType +
              "<field var='ip_version' type='text-multi'>"
              "<value>ipv6</value><value>ipv4</value></field>"
              "<field var='os'><value>Mac</value></field>"
              "<field var='os_version'><value>10.5.1</value></field>"
              "<field var='software'><value>Psi</value></field>"));

const std::string bombus = R"(<query xmlns="http://jabber.org/protocol/disco#info">
  <identity category="client" name="BombusMod" type="mobile"/>
  <feature var="http://jabber.org/protocol/si"/>
  <feature var="http://jabber.org/protocol/bytestreams"/>
  <feature var="http://jabber.org/protocol/chatstates"/>
  <feature var="http://jabber.org/protocol/disco#info"/>
  <feature var="http://jabber.org/protocol/disco#items"/>
  <feature var="urn:xmpp:ping"/>
  <feature var="jabber:iq:time"/>
  <feature var="jabber:iq:privacy"/>
  <feature var="jabber:iq:version"/>
  <feature var="http://jabber.org/protocol/rosterx"/>
  <feature var="urn:xmpp:time"/>
  <feature var="jabber:x:oob"/>
  <feature var="http://jabber.org/protocol/ibb"/>
  <feature var="http://jabber.org/protocol/si/profile/file-transfer"/>
  <feature var="urn:xmpp:receipts"/>
  <feature var="jabber:iq:roster"/>
  <feature var="jabber:iq:last"/>
</query>)";

const std::string tkabber = R"(<query xmlns="http://jabber.org/protocol/disco#info">
  <identity category="client" name="Tkabber" type="pc" xml:lang="en"/>
  <identity category="client" name="Ткаббер" type="pc" xml:lang="ru"/>
  <feature var="games:board"/>
  <feature var="http://jabber.org/protocol/activity"/>
  <feature var="http://jabber.org/protocol/activity+notify"/>
  <feature var="http://jabber.org/protocol/bytestreams"/>
  <feature var="http://jabber.org/protocol/chatstates"/>
  <feature var="http://jabber.org/protocol/commands"/>
  <feature var="http://jabber.org/protocol/disco#info"/>
  <feature var="http://jabber.org/protocol/disco#items"/>
  <feature var="http://jabber.org/protocol/evil"/>
  <feature var="http://jabber.org/protocol/feature-neg"/>
  <feature var="http://jabber.org/protocol/geoloc"/>
  <feature var="http://jabber.org/protocol/geoloc+notify"/>
  <feature var="http://jabber.org/protocol/ibb"/>
  <feature var="http://jabber.org/protocol/iqibb"/>
  <feature var="http://jabber.org/protocol/mood"/>
  <feature var="http://jabber.org/protocol/mood+notify"/>
  <feature var="http://jabber.org/protocol/rosterx"/>
  <feature var="http://jabber.org/protocol/si"/>
  <feature var="http://jabber.org/protocol/si/profile/file-transfer"/>
  <feature var="http://jabber.org/protocol/tune"/>
  <feature var="http://www.facebook.com/xmpp/messages"/>
  <feature var="http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify"/>
  <feature var="jabber:iq:avatar"/>
  <feature var="jabber:iq:browse"/>
  <feature var="jabber:iq:dtcp"/>
  <feature var="jabber:iq:filexfer"/>
  <feature var="jabber:iq:ibb"/>
  <feature var="jabber:iq:inband"/>
  <feature var="jabber:iq:jidlink"/>
  <feature var="jabber:iq:last"/>
  <feature var="jabber:iq:oob"/>
  <feature var="jabber:iq:privacy"/>
  <feature var="jabber:iq:roster"/>
  <feature var="jabber:iq:time"/>
  <feature var="jabber:iq:version"/>
  <feature var="jabber:x:data"/>
  <feature var="jabber:x:event"/>
  <feature var="jabber:x:oob"/>
  <feature var="urn:xmpp:avatar:metadata+notify"/>
  <feature var="urn:xmpp:ping"/>
  <feature var="urn:xmpp:receipts"/>
  <feature var="urn:xmpp:time"/>
  <x xmlns="jabber:x:data" type="result">
    <field type="hidden" var="FORM_TYPE">
      <value>urn:xmpp:dataforms:softwareinfo</value>
    </field>
    <field var="software">
      <value>Tkabber</value>
    </field>
    <field var="software_version">
      <value>0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)</value>
    </field>
    <field var="os">
      <value>Windows</value>
    </field>
    <field var="os_version">
      <value>XP</value>
    </field>
  </x>
</query>)";

}  // namespace

TEST_CASE("the verification strings of XEP-0115, 5.2 and 5.3 are made") {
    CHECK(capsVerification(*parsed(exodus)) == "QgayPKawpkPSDYmwT/WM94uAlu0=");
    CHECK(capsVerification(*parsed(psi)) == "q07IKJEyjvHSyhy//CH0CxmKi8w=");
}

TEST_CASE("the capability hashes of XEP-0390, 4.5 are made") {
    CHECK(capsHash(*parsed(bombus), Hash::Sha256) ==
          "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=");
    CHECK(capsHash(*parsed(bombus), Hash::Sha3_256) ==
          "79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q=");
    CHECK(capsHash(*parsed(tkabber), Hash::Sha256) ==
          "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=");
    CHECK(capsHash(*parsed(tkabber), Hash::Sha3_256) ==
          "XpUJzLAc93258sMECZ3FJpebkzuyNXDzRNwQog8eycg=");
    CHECK(capsNode(Hash::Sha256, "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=") ==
          "urn:xmpp:caps#sha-256.u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=");
}

TEST_CASE("forms that are no extensions don't count for XEP-0115") {
    const auto plain = capsVerification(*parsed(exodus));
    for (const std::string& form : {extension("<field var='os'><value>Mac</value></field>"),
                                   extension("<field var='FORM_TYPE'><value>urn:x</value></field>"),
                                   extension("<field var='FORM_TYPE' type='hidden'/>"),
                                   std::string{"<other xmlns='urn:x'/>"}}) {
        auto xml = exodus;
        xml.insert(xml.find("</query>"), form);
        CAPTURE(form);
        CHECK(capsVerification(*parsed(xml)) == plain);
    }
}

TEST_CASE("an ill-formed answer has no verification string") {
    const std::string identity = "<identity category='client' type='pc' name='x'/>";
    const std::string feature = "<feature var='urn:x'/>";
    const std::string twoTypes = extension(
        "<field var='FORM_TYPE' type='hidden'><value>urn:x</value><value>urn:y</value></field>");
    for (const std::string& inner :
         {identity + identity, identity + feature + feature,
          identity + extension(softwareType) + extension(softwareType), identity + twoTypes}) {
        CAPTURE(inner);
        CHECK_FALSE(capsVerification(*parsed(query(inner))));
    }
}

TEST_CASE("what XEP-0390 does not allow has no capability hash") {
    const std::string identity = "<identity category='client' type='pc'/>";
    for (const std::string& inner :
         {identity + "<other xmlns='urn:x'/>", identity + "<item jid='x'/>",
          identity + extension("<field var='os'><value>Mac</value></field>"),
          identity + extension("<field var='FORM_TYPE'><value>urn:x</value></field>"),
          identity + extension(softwareType + "<reported><field var='a'/></reported>"),
          identity + extension(softwareType + "<item><field var='a'/></item>")}) {
        CAPTURE(inner);
        CHECK_FALSE(capsHash(*parsed(query(inner)), Hash::Sha256));
    }
}

TEST_CASE("an identity inherits the language of what it stands in") {
    const auto inner = query("<identity category='client' type='pc' name='x'/>");
    const auto stated = query("<identity category='client' type='pc' name='x' xml:lang='en'/>");
    const auto iq = parsed("<iq xmlns='jabber:client' xml:lang='en'>" + inner + "</iq>");
    const auto expected = capsHash(*parsed(stated), Hash::Sha256);
    CHECK(capsHash(*iq->firstChild(), Hash::Sha256) == expected);
    CHECK(capsHash(*parsed(inner), Hash::Sha256, "en") == expected);
    CHECK(capsHash(*parsed(inner), Hash::Sha256) != expected);
}
