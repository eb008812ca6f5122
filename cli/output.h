// What a command prints: results on standard output, notes and errors on standard error; for people
// in words, with --json one object for each line.
#pragma once

#include "cli/failure.h"

#include <Poco/JSON/Object.h>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace epode::cli {

class Invocation;

// Keys keep their order; an empty string is left out.
using Fields = std::initializer_list<std::pair<const char*, Poco::Dynamic::Var>>;
Poco::JSON::Object::Ptr jsonObject(Fields fields);

class Output {
public:
    explicit Output(const Invocation& invocation);

    bool isJson() const { return isJson_; }
    bool isQuiet() const { return isQuiet_; }

    // A result. `words` may be empty: then people are told nothing.
    void result(const std::string& words, Fields fields) const;
    void result(const std::string& words, const Poco::JSON::Object& object) const;
    // For people alone, and not with --quiet.
    void note(const std::string& words) const;
    // How it goes, for people and programs, on standard error.
    void progress(const std::string& words, Fields fields) const;
    void warning(const std::string& words) const;
    void error(const Failure& failure) const;

private:
    bool isJson_;
    bool isQuiet_;
};

// For errors before there is an invocation.
void printError(const Failure& failure, bool asJson);

}  // namespace epode::cli
