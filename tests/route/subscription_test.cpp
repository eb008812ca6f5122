// RFC 6121, Appendix A: every row of its tables, in its words.
#include "route/roster.h"
#include "tests/support/catch.h"

#include <string>
#include <string_view>
#include <vector>

using namespace epode;

namespace {

struct NamedState {
    std::string_view name;
    ContactState state;
};

const std::vector<NamedState> states{
    {"None", {Subscription::None}},
    {"None + Pending Out", {Subscription::None, true}},
    {"None + Pending In", {Subscription::None, false, true}},
    {"None + Pending Out+In", {Subscription::None, true, true}},
    {"To", {Subscription::To}},
    {"To + Pending In", {Subscription::To, false, true}},
    {"From", {Subscription::From}},
    {"From + Pending Out", {Subscription::From, true}},
    {"Both", {Subscription::Both}},
};

ContactState stateOf(std::string_view name) {
    for (const auto& known : states)
        if (known.name == name) return known.state;
    FAIL("no such state: " << std::string{name});
    return {};
}

std::string nameOf(const ContactState& state) {
    ContactState unapproved = state;
    unapproved.approved = false;
    for (const auto& known : states)
        if (known.state == unapproved) return std::string{known.name};
    return "a state that Appendix A does not know";
}

// The columns of the tables; `same` is "no state change".
enum class Way { Must, MustNot };  // "S.N." and "M.N." alike: it is not done
constexpr std::string_view same = "no state change";
constexpr std::string_view preApproval = "pre-approval";

struct Row {
    std::string_view existing;
    Way way;
    std::string_view next;
    StanzaType autoReply = StanzaType::None;
};

void check(const std::vector<Row>& rows, StanzaType type,
           Transition (*table)(const ContactState&, StanzaType)) {
    REQUIRE(rows.size() == states.size());
    for (const Row& row : rows) {
        INFO(std::string{toText(type)} << " in state \"" << std::string{row.existing} << '"');
        const ContactState before = stateOf(row.existing);
        const Transition result = table(before, type);

        CHECK(result.route == (row.way == Way::Must));
        CHECK(result.autoReply == row.autoReply);
        if (row.next == same) {
            CHECK(result.state == before);
            CHECK_FALSE(result.push);
        } else if (row.next == preApproval) {
            ContactState approved = before;
            approved.approved = true;
            CHECK(result.state == approved);
            CHECK(result.push);
        } else {
            const ContactState after = stateOf(row.next);
            CHECK(nameOf(result.state) == row.next);
            CHECK_FALSE(result.state.approved);
            CHECK(result.push == (before.subscription != after.subscription ||
                                  before.pendingOut != after.pendingOut));
        }
    }
}

}  // namespace

TEST_CASE("outbound subscribe follows table 2 of RFC 6121") {
    check(
        {
            {"None", Way::Must, "None + Pending Out"},
            {"None + Pending Out", Way::Must, same},
            {"None + Pending In", Way::Must, "None + Pending Out+In"},
            {"None + Pending Out+In", Way::Must, same},
            {"To", Way::Must, same},
            {"To + Pending In", Way::Must, same},
            {"From", Way::Must, "From + Pending Out"},
            {"From + Pending Out", Way::Must, same},
            {"Both", Way::Must, same},
        },
        StanzaType::Subscribe, outbound);
}

TEST_CASE("outbound unsubscribe follows table 3 of RFC 6121") {
    check(
        {
            {"None", Way::Must, same},
            {"None + Pending Out", Way::Must, "None"},
            {"None + Pending In", Way::Must, same},
            {"None + Pending Out+In", Way::Must, "None + Pending In"},
            {"To", Way::Must, "None"},
            {"To + Pending In", Way::Must, "None + Pending In"},
            {"From", Way::Must, same},
            {"From + Pending Out", Way::Must, "From"},
            {"Both", Way::Must, "From"},
        },
        StanzaType::Unsubscribe, outbound);
}

TEST_CASE("outbound subscribed follows table 4 of RFC 6121") {
    check(
        {
            {"None", Way::MustNot, preApproval},
            {"None + Pending Out", Way::MustNot, preApproval},
            {"None + Pending In", Way::Must, "From"},
            {"None + Pending Out+In", Way::Must, "From + Pending Out"},
            {"To", Way::MustNot, preApproval},
            {"To + Pending In", Way::Must, "Both"},
            {"From", Way::MustNot, same},
            {"From + Pending Out", Way::MustNot, same},
            {"Both", Way::MustNot, same},
        },
        StanzaType::Subscribed, outbound);
}

TEST_CASE("outbound unsubscribed follows table 5 of RFC 6121") {
    check(
        {
            {"None", Way::MustNot, same},
            {"None + Pending Out", Way::MustNot, same},
            {"None + Pending In", Way::Must, "None"},
            {"None + Pending Out+In", Way::Must, "None + Pending Out"},
            {"To", Way::MustNot, same},
            {"To + Pending In", Way::Must, "To"},
            {"From", Way::Must, "None"},
            {"From + Pending Out", Way::Must, "None + Pending Out"},
            {"Both", Way::Must, "To"},
        },
        StanzaType::Unsubscribed, outbound);
}

TEST_CASE("inbound subscribe follows table 6 of RFC 6121") {
    check(
        {
            {"None", Way::Must, "None + Pending In"},
            {"None + Pending Out", Way::Must, "None + Pending Out+In"},
            {"None + Pending In", Way::MustNot, same},
            {"None + Pending Out+In", Way::MustNot, same},
            {"To", Way::Must, "To + Pending In"},
            {"To + Pending In", Way::MustNot, same},
            {"From", Way::MustNot, same, StanzaType::Subscribed},
            {"From + Pending Out", Way::MustNot, same, StanzaType::Subscribed},
            {"Both", Way::MustNot, same, StanzaType::Subscribed},
        },
        StanzaType::Subscribe, inbound);
}

TEST_CASE("inbound unsubscribe follows table 7 of RFC 6121") {
    check(
        {
            {"None", Way::MustNot, same},
            {"None + Pending Out", Way::MustNot, same},
            {"None + Pending In", Way::Must, "None", StanzaType::Unsubscribed},
            {"None + Pending Out+In", Way::Must, "None + Pending Out", StanzaType::Unsubscribed},
            {"To", Way::MustNot, same},
            {"To + Pending In", Way::Must, "To", StanzaType::Unsubscribed},
            {"From", Way::Must, "None", StanzaType::Unsubscribed},
            {"From + Pending Out", Way::Must, "None + Pending Out", StanzaType::Unsubscribed},
            {"Both", Way::Must, "To", StanzaType::Unsubscribed},
        },
        StanzaType::Unsubscribe, inbound);
}

TEST_CASE("inbound subscribed follows table 8 of RFC 6121") {
    check(
        {
            {"None", Way::MustNot, same},
            {"None + Pending Out", Way::Must, "To"},
            {"None + Pending In", Way::MustNot, same},
            {"None + Pending Out+In", Way::Must, "To + Pending In"},
            {"To", Way::MustNot, same},
            {"To + Pending In", Way::MustNot, same},
            {"From", Way::MustNot, same},
            {"From + Pending Out", Way::Must, "Both"},
            {"Both", Way::MustNot, same},
        },
        StanzaType::Subscribed, inbound);
}

TEST_CASE("inbound unsubscribed follows table 9 of RFC 6121") {
    check(
        {
            {"None", Way::MustNot, same},
            {"None + Pending Out", Way::Must, "None"},
            {"None + Pending In", Way::MustNot, same},
            {"None + Pending Out+In", Way::Must, "None + Pending In"},
            {"To", Way::Must, "None"},
            {"To + Pending In", Way::Must, "None + Pending In"},
            {"From", Way::MustNot, same},
            {"From + Pending Out", Way::Must, "From"},
            {"Both", Way::Must, "From"},
        },
        StanzaType::Unsubscribed, inbound);
}

TEST_CASE("no transition leaves the nine states of Appendix A") {
    const std::vector<StanzaType> types{StanzaType::Subscribe, StanzaType::Subscribed,
                                        StanzaType::Unsubscribe, StanzaType::Unsubscribed};
    for (const bool approved : {false, true})
        for (const auto& known : states)
            for (const StanzaType type : types)
                for (const auto table : {outbound, inbound}) {
                    ContactState before = known.state;
                    before.approved = approved;
                    INFO(std::string{known.name} << ", " << std::string{toText(type)});
                    const Transition result = table(before, type);
                    CHECK(nameOf(result.state) != "a state that Appendix A does not know");
                    // Done twice, the second time changes nothing.
                    CHECK(table(result.state, type).state == result.state);
                }
}

TEST_CASE("other presence moves no subscription") {
    for (const auto& known : states)
        for (const StanzaType type :
             {StanzaType::None, StanzaType::Unavailable, StanzaType::Probe, StanzaType::Error}) {
            INFO(std::string{known.name});
            for (const auto table : {outbound, inbound}) {
                const Transition result = table(known.state, type);
                CHECK(result.state == known.state);
                CHECK_FALSE(result.route);
                CHECK_FALSE(result.push);
                CHECK(result.autoReply == StanzaType::None);
            }
        }
}

TEST_CASE("a pre-approved request is answered by the server and not shown (RFC 6121, 3.4.2)") {
    struct Case {
        std::string_view existing;
        std::string_view next;
    };
    for (const Case& row : {Case{"None", "From"}, Case{"None + Pending Out", "From + Pending Out"},
                            Case{"To", "Both"}}) {
        INFO(std::string{row.existing});
        const Transition noted = outbound(stateOf(row.existing), StanzaType::Subscribed);
        REQUIRE(noted.state.approved);

        const Transition asked = inbound(noted.state, StanzaType::Subscribe);
        CHECK_FALSE(asked.route);
        CHECK(asked.autoReply == StanzaType::Subscribed);
        CHECK(asked.push);
        CHECK(nameOf(asked.state) == row.next);
    }
}

TEST_CASE("a pre-approval stays until the user takes it back (RFC 6121, 3.2.2 and 3.4.2)") {
    ContactState state = outbound(ContactState{}, StanzaType::Subscribed).state;
    REQUIRE(state.approved);

    SECTION("the contact can't take it back") {
        CHECK(inbound(state, StanzaType::Unsubscribed).state.approved);
        CHECK(inbound(state, StanzaType::Unsubscribe).state.approved);
    }
    SECTION("it outlives the contact's subscription") {
        state = inbound(state, StanzaType::Subscribe).state;
        state = inbound(state, StanzaType::Unsubscribe).state;
        CHECK(nameOf(state) == "None");
        CHECK(state.approved);
    }
    SECTION("unsubscribed takes it back without a word to the contact") {
        const Transition taken = outbound(state, StanzaType::Unsubscribed);
        CHECK_FALSE(taken.state.approved);
        CHECK_FALSE(taken.route);
        CHECK(taken.push);
        CHECK(inbound(taken.state, StanzaType::Subscribe).route);
    }
    SECTION("approving it again changes nothing") {
        const Transition again = outbound(state, StanzaType::Subscribed);
        CHECK(again.state == state);
        CHECK_FALSE(again.push);
        CHECK_FALSE(again.route);
    }
}

TEST_CASE("unsubscribed ends an approved subscription for the contact too") {
    ContactState state{Subscription::Both};
    state.approved = true;
    const Transition ended = outbound(state, StanzaType::Unsubscribed);
    CHECK(ended.route);
    CHECK(ended.push);
    CHECK_FALSE(ended.state.approved);
    CHECK(nameOf(ended.state) == "To");
}

TEST_CASE("a roster finds, makes and removes contacts") {
    Roster roster;
    const Jid romeo = *Jid::parse("romeo@montague.example");
    CHECK(roster.find(romeo) == nullptr);

    Contact& made = roster.entry(romeo);
    CHECK(made.jid == romeo);
    CHECK_FALSE(made.listed);
    CHECK(made.state == ContactState{});
    CHECK(roster.listedCount() == 0);

    made.listed = true;
    made.name = "Romeo";
    CHECK(roster.entry(romeo).name == "Romeo");
    CHECK(roster.listedCount() == 1);
    REQUIRE(roster.find(romeo));

    roster.remove(romeo);
    CHECK(roster.find(romeo) == nullptr);
    CHECK(roster.listedCount() == 0);
    roster.remove(romeo);
}
