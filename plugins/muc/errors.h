// What a room refuses, in the words of XEP-0045.
#pragma once

#include "core/stanza_error.h"

#include <string>

namespace epode::muc {

inline StanzaError noSuchRoom() {
    return {ErrorType::Cancel, Condition::ItemNotFound, "There is no such room."};
}
inline StanzaError noSuchOccupant() {
    return {ErrorType::Cancel, Condition::ItemNotFound, "Nobody here has this nickname."};
}
inline StanzaError notInRoom() {
    return {ErrorType::Cancel, Condition::NotAcceptable, "You are not in this room."};
}
inline StanzaError forbidden(std::string text) {
    return {ErrorType::Auth, Condition::Forbidden, std::move(text)};
}
inline StanzaError badRequest(std::string text) {
    return {ErrorType::Modify, Condition::BadRequest, std::move(text)};
}
inline StanzaError notAcceptable(std::string text) {
    return {ErrorType::Modify, Condition::NotAcceptable, std::move(text)};
}
inline StanzaError conflict(std::string text) {
    return {ErrorType::Cancel, Condition::Conflict, std::move(text)};
}
inline StanzaError tooLong(std::string what) {
    return notAcceptable("The " + std::move(what) + " is too long.");
}
inline StanzaError notNow() {
    return {ErrorType::Wait, Condition::InternalServerError,
            "The server can't reach its storage at the moment; try again later."};
}

}  // namespace epode::muc
