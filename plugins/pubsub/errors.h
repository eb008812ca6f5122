// What is refused, as XEP-0060 asks for it: a condition of RFC 6120 and one of its own beside it.
#pragma once

#include "core/stanza_error.h"
#include "names.h"

#include <string>
#include <string_view>

namespace epode::pubsub {

inline StanzaError refusal(ErrorType type, Condition condition, std::string_view own,
                           std::string text) {
    StanzaError error{type, condition, std::move(text)};
    error.application = own;
    error.applicationNs = names::errors;
    return error;
}

inline StanzaError badRequest(std::string_view own, std::string text) {
    return refusal(ErrorType::Modify, Condition::BadRequest, own, std::move(text));
}
inline StanzaError malformed(std::string text) { return {Condition::BadRequest, std::move(text)}; }
inline StanzaError notFound() {
    return {ErrorType::Cancel, Condition::ItemNotFound, "There is no such node."};
}
inline StanzaError noSuchItem() {
    return {ErrorType::Cancel, Condition::ItemNotFound, "There is no such item."};
}
inline StanzaError forbidden(std::string text) {
    return {ErrorType::Auth, Condition::Forbidden, std::move(text)};
}
inline StanzaError nodeRequired() { return badRequest("nodeid-required", "Name a node."); }
inline StanzaError unsupported(std::string_view feature, std::string text) {
    StanzaError error = refusal(ErrorType::Cancel, Condition::FeatureNotImplemented, "unsupported",
                                std::move(text));
    error.applicationFeature = feature;
    return error;
}

}  // namespace epode::pubsub
