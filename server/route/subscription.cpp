// The tables of RFC 6121, Appendix A, as rules. A state of the tables is `subscription` with the
// two pending flags; what an entry's row says is what the conditions below come to.
#include "route/roster.h"

namespace epode {

namespace {

Subscription combine(bool seesContact, bool isSeen) {
    if (seesContact) return isSeen ? Subscription::Both : Subscription::To;
    return isSeen ? Subscription::From : Subscription::None;
}

void setSeesContact(ContactState& state, bool sees) {
    state.subscription = combine(sees, state.isSeenByContact());
}

void setSeenByContact(ContactState& state, bool seen) {
    state.subscription = combine(state.seesContact(), seen);
}

// What clients are shown of a state: an unanswered request of the contact is no part of it.
bool looksEqual(const ContactState& a, const ContactState& b) {
    return a.subscription == b.subscription && a.pendingOut == b.pendingOut &&
           a.approved == b.approved;
}

Transition& finish(Transition& transition, const ContactState& before) {
    transition.push = !looksEqual(before, transition.state);
    return transition;
}

}  // namespace

std::string_view toText(Subscription subscription) {
    switch (subscription) {
        case Subscription::None:
            return "none";
        case Subscription::To:
            return "to";
        case Subscription::From:
            return "from";
        case Subscription::Both:
            return "both";
    }
    return "none";
}

Transition outbound(const ContactState& state, StanzaType type) {
    Transition next{.state = state};
    switch (type) {
        case StanzaType::Subscribe:  // A.2.1
            next.route = true;
            if (!state.seesContact()) next.state.pendingOut = true;
            break;
        case StanzaType::Unsubscribe:  // A.2.2
            next.route = true;
            next.state.pendingOut = false;
            setSeesContact(next.state, false);
            break;
        case StanzaType::Subscribed:  // A.2.3
            if (state.pendingIn) {
                next.route = true;
                next.state.pendingIn = false;
                setSeenByContact(next.state, true);
            } else if (!state.isSeenByContact()) {
                next.state.approved = true;  // 3.4
            }
            break;
        case StanzaType::Unsubscribed:  // A.2.4
            next.route = state.pendingIn || state.isSeenByContact();
            next.state.pendingIn = false;
            next.state.approved = false;  // 3.2.2 and the note at the end of 3.4.2
            setSeenByContact(next.state, false);
            break;
        default:
            break;
    }
    return finish(next, state);
}

Transition inbound(const ContactState& state, StanzaType type) {
    Transition next{.state = state};
    switch (type) {
        case StanzaType::Subscribe:  // A.3.1
            if (state.isSeenByContact()) {
                next.autoReply = StanzaType::Subscribed;
            } else if (state.approved) {
                next.autoReply = StanzaType::Subscribed;
                next.state.pendingIn = false;
                setSeenByContact(next.state, true);
            } else if (!state.pendingIn) {
                next.route = true;
                next.state.pendingIn = true;
            }
            break;
        case StanzaType::Unsubscribe:  // A.3.2
            if (!state.pendingIn && !state.isSeenByContact()) break;
            next.route = true;
            next.autoReply = StanzaType::Unsubscribed;
            next.state.pendingIn = false;
            setSeenByContact(next.state, false);
            break;
        case StanzaType::Subscribed:  // A.3.3
            if (!state.pendingOut) break;
            next.route = true;
            next.state.pendingOut = false;
            setSeesContact(next.state, true);
            break;
        case StanzaType::Unsubscribed:  // A.3.4
            if (!state.pendingOut && !state.seesContact()) break;
            next.route = true;
            next.state.pendingOut = false;
            setSeesContact(next.state, false);
            break;
        default:
            break;
    }
    return finish(next, state);
}

}  // namespace epode
