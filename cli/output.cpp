#include "cli/output.h"

#include "cli/invocation.h"

#include <cstdlib>
#include <iostream>
#include <sstream>

namespace epode::cli {

namespace {

void printLine(std::ostream& stream, const std::string& line) {
    stream << line << '\n' << std::flush;
    // Whoever read our output has gone (`epode listen | head`): there is nobody left to tell.
    if (!stream) std::_Exit(static_cast<int>(ExitCode::Done));
}

std::string toLine(const Poco::JSON::Object& object) {
    std::ostringstream text;
    object.stringify(text, 0);
    return text.str();
}

}  // namespace

Poco::JSON::Object::Ptr jsonObject(Fields fields) {
    Poco::JSON::Object::Ptr object{new Poco::JSON::Object{Poco::JSON_PRESERVE_KEY_ORDER}};
    for (const auto& [key, value] : fields) {
        if (value.isEmpty() || (value.isString() && value.extract<std::string>().empty())) continue;
        object->set(key, value);
    }
    return object;
}

Output::Output(const Invocation& invocation)
    : isJson_{invocation.has("json")}, isQuiet_{invocation.has("quiet")} {}

void Output::result(const std::string& words, Fields fields) const {
    result(words, *jsonObject(fields));
}

void Output::result(const std::string& words, const Poco::JSON::Object& object) const {
    if (isJson_) {
        printLine(std::cout, toLine(object));
    } else if (!words.empty()) {
        printLine(std::cout, words);
    }
}

void Output::note(const std::string& words) const {
    if (!isJson_ && !isQuiet_) std::cerr << words << std::endl;
}

void Output::progress(const std::string& words, Fields fields) const {
    if (isJson_) {
        std::cerr << toLine(*jsonObject(fields)) << std::endl;
    } else {
        note(words);
    }
}

void Output::warning(const std::string& words) const {
    if (isJson_) {
        std::cerr << toLine(*jsonObject({{"warning", words}})) << std::endl;
    } else {
        std::cerr << "epode: warning: " << words << std::endl;
    }
}

void Output::error(const Failure& failure) const { printError(failure, isJson_); }

void printError(const Failure& failure, bool asJson) {
    if (asJson) {
        const auto error = jsonObject({{"condition", failure.condition},
                                       {"text", std::string{failure.what()}},
                                       {"advice", failure.advice},
                                       {"exit", static_cast<int>(failure.code)}});
        std::cerr << toLine(*jsonObject({{"error", error}})) << std::endl;
        return;
    }
    std::cerr << "epode: " << failure.what() << std::endl;
    if (!failure.advice.empty()) std::cerr << "       " << failure.advice << std::endl;
}

}  // namespace epode::cli
