#include "body.h"

#include "core/json_text.h"
#include "core/time_format.h"
#include "core/uuid.h"

#include <Poco/Exception.h>
#include <Poco/JSON/Handler.h>
#include <Poco/JSON/Parser.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace epode::rest {

namespace {

constexpr std::size_t jsonDepthMax = 3;
constexpr std::size_t membersMax = 100;
constexpr std::size_t valuesMax = 1000;  // of a list
constexpr std::size_t nameBytesMax = 100;
constexpr std::int64_t textBytesMost = 65536;

// What can stand in a body: lists hold nothing but simple values.
struct Null {};
struct NoValue {};  // an object where none may be, a number that is none of ours
using Simple = std::variant<Null, bool, std::int64_t, std::string, NoValue>;
using Member = std::variant<Simple, std::vector<Simple>>;

// A flat object, read as it comes.
class ObjectReader final : public Poco::JSON::Handler {
public:
    std::vector<std::pair<std::string, Member>> members;
    bool isObject = false;
    bool isTooMuch = false;
    std::set<std::string> twice;

    void reset() override {}
    void startObject() override {
        if (depth_++ == 0)
            isObject = true;
        else
            add(NoValue{});
    }
    void endObject() override { --depth_; }
    void startArray() override {
        if (depth_++ == 1 && isObject) {
            open(std::vector<Simple>{});
            isList_ = true;
        } else {
            add(NoValue{});
        }
    }
    void endArray() override {
        if (--depth_ == 1) isList_ = false;
    }
    void key(const std::string& name) override {
        if (depth_ != 1) return;
        name_ = name;
        const bool isKnown = std::any_of(members.begin(), members.end(),
                                         [&](const auto& member) { return member.first == name; });
        if (isKnown) twice.insert(name);
    }
    void null() override { add(Null{}); }
    void value(int number) override { add(std::int64_t{number}); }
    void value(unsigned number) override { add(std::int64_t{number}); }
    void value(Poco::Int64 number) override { add(std::int64_t{number}); }
    void value(Poco::UInt64) override { add(NoValue{}); }
    void value(const std::string& text) override { add(text); }
    void value(double) override { add(NoValue{}); }
    void value(bool isTrue) override { add(isTrue); }

private:
    void open(Member member) {
        if (members.size() >= membersMax)
            isTooMuch = true;
        else
            members.emplace_back(name_, std::move(member));
    }
    void add(Simple value) {
        if (!isObject || isTooMuch) return;
        if (isList_) {
            auto& list = std::get<std::vector<Simple>>(members.back().second);
            if (list.size() >= valuesMax)
                isTooMuch = true;
            else
                list.push_back(std::move(value));
        } else if (depth_ == 1 || std::holds_alternative<NoValue>(value)) {
            open(std::move(value));
        }
    }

    std::string name_;
    int depth_ = 0;
    bool isList_ = false;
};

// The members of an object; what is wrong with it as a whole goes to `wrong`.
std::vector<std::pair<std::string, Member>> readObject(std::string_view json, Places& wrong) {
    for (std::size_t at = 0; at < json.size();) {
        const auto bytes = utf8Bytes(json, at);
        if (bytes == 0 || json[at] == '\0') {
            wrong.emplace_back("", "The body is no valid UTF-8.");
            return {};
        }
        at += bytes;
    }
    Poco::SharedPtr<ObjectReader> reader{new ObjectReader};
    try {
        Poco::JSON::Parser parser{reader};
        parser.setDepth(jsonDepthMax);
        parser.parse(std::string{json});
    } catch (const std::exception&) {  // its own text would say less
        wrong.emplace_back("", "The body is no valid JSON.");
        return {};
    }
    if (!reader->isObject) wrong.emplace_back("", "The body must be a JSON object.");
    if (reader->isTooMuch) wrong.emplace_back("", "The body has too many values.");
    for (const auto& name : reader->twice)
        wrong.emplace_back(name.substr(0, nameBytesMax), "It is there twice.");
    if (!wrong.empty()) return {};
    return std::move(reader->members);
}

// What can't be written as XML (XML 1.0, 2.2) can't be said here.
bool isText(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto bytes = utf8Bytes(text, at);
        if (bytes == 0) return false;
        const auto lead = static_cast<unsigned char>(text[at]);
        if (bytes == 1 && lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r') return false;
        if (bytes == 3 &&
            (text.substr(at, 3) == "\xEF\xBF\xBE" || text.substr(at, 3) == "\xEF\xBF\xBF"))
            return false;
        at += bytes;
    }
    return true;
}

std::optional<std::int64_t> readInteger(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || failure != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::string listOf(const std::vector<std::string_view>& words) {
    std::string text;
    for (const auto word : words) text.append(text.empty() ? "" : ", ").append(word);
    return text;
}

std::optional<Value> readNumber(const Field& field, std::int64_t number, std::string& why) {
    if (number >= field.least && (field.most == 0 || number <= field.most)) return Value{number};
    why = "It must be a whole number ";
    why += field.most == 0
               ? "of at least " + std::to_string(field.least)
               : "from " + std::to_string(field.least) + " to " + std::to_string(field.most);
    why += ".";
    return std::nullopt;
}

// As the kind wants it. A text where a text is wanted; JSON has numbers and truths of its own.
std::optional<Value> readSimple(const Field& field, const Simple& simple, std::string& why) {
    if (field.kind == Kind::Boolean) {
        if (const bool* isTrue = std::get_if<bool>(&simple)) return Value{*isTrue};
        why = "It must be true or false.";
        return std::nullopt;
    }
    if (field.kind == Kind::Integer) {
        if (const auto* number = std::get_if<std::int64_t>(&simple))
            return readNumber(field, *number, why);
        why = "It must be a whole number.";
        return std::nullopt;
    }
    const auto* text = std::get_if<std::string>(&simple);
    if (text) return readValue(field, *text, why);
    why = "It must be a text.";
    return std::nullopt;
}

std::optional<Value> readMany(const Field& field, const std::vector<Simple>& list,
                              std::string& why) {
    if (field.most != 0 && std::int64_t(list.size()) > field.most) {
        why = "There are more than " + std::to_string(field.most) + " of them.";
        return std::nullopt;
    }
    Field each = field;
    each.least = each.most = 0;
    std::vector<std::string> texts;
    std::vector<Jid> addresses;
    for (const Simple& simple : list) {
        const auto value = readSimple(each, simple, why);
        if (!value) return std::nullopt;
        if (const auto* jid = std::get_if<Jid>(&*value)) addresses.push_back(*jid);
        if (const auto* text = std::get_if<std::string>(&*value)) texts.push_back(*text);
    }
    if (field.kind == Kind::Address) return Value{std::move(addresses)};
    return Value{std::move(texts)};
}

// "?limit=5&before=…", each once, but those of which there may be many.
void readQuery(const OperationInfo& operation, std::string_view query, Values& values,
               Places& wrong) {
    std::map<std::string, std::vector<std::string>> given;
    while (!query.empty()) {
        const auto part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), part.size() + 1));
        if (part.empty()) continue;
        const auto equals = std::min(part.find('='), part.size());
        const auto name = decodePercent(part.substr(0, equals));
        const auto value = queryValue(part, name.value_or(""));
        if (!name || !value) {
            wrong.emplace_back(std::string{part.substr(0, std::min(equals, nameBytesMax))},
                               "It is not written as a part of a query.");
            continue;
        }
        given[*name].push_back(*value);
    }
    for (auto& [name, texts] : given) {
        const auto field = std::find_if(
            operation.fields.begin(), operation.fields.end(),
            [&name](const Field& each) { return each.in == In::Query && each.name == name; });
        std::string why;
        if (field == operation.fields.end()) {
            why = "There is no such parameter.";
        } else if (field->many == Many::Yes) {
            std::vector<Simple> list(texts.begin(), texts.end());
            if (auto value = readMany(*field, list, why)) values.emplace(name, std::move(*value));
        } else if (texts.size() > 1) {
            why = "It is there twice.";
        } else if (auto value = readValue(*field, texts.front(), why)) {
            values.emplace(name, std::move(*value));
        }
        if (!why.empty()) wrong.emplace_back(name.substr(0, nameBytesMax), why);
    }
}

std::string lowered(std::string_view text) {
    std::string lower{text};
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    return lower;
}

}  // namespace

std::optional<Value> readValue(const Field& field, const std::string& text, std::string& why) {
    switch (field.kind) {
        case Kind::Boolean:
            if (text == "true" || text == "1") return Value{true};
            if (text == "false" || text == "0") return Value{false};
            why = "It must be true or false.";
            return std::nullopt;
        case Kind::Integer:
            if (const auto number = readInteger(text)) return readNumber(field, *number, why);
            why = "It must be a whole number.";
            return std::nullopt;
        case Kind::Address: {
            auto jid = Jid::parse(text);
            if (jid && jid->isBare()) return Value{std::move(*jid)};
            why = "It must be an address like juliet@capulet.example.";
            return std::nullopt;
        }
        case Kind::Time: {
            if (const auto time = parseDateTime(text)) return Value{*time};
            why = "It must be a time like 2026-11-20T10:00:00Z.";
            return std::nullopt;
        }
        case Kind::Id:
            if (const auto id = Uuid::parse(text)) return Value{id->text()};
            why = "It must be the id of a message as the history tells it.";
            return std::nullopt;
        case Kind::Choice:
            if (std::find(field.choices.begin(), field.choices.end(), text) != field.choices.end())
                return Value{text};
            why = "It must be one of " + listOf(field.choices) + ".";
            return std::nullopt;
        default:
            break;
    }
    const std::int64_t most = field.most == 0 ? textBytesMost : field.most;
    if (!isText(text)) {
        why = "It has characters that can't be sent.";
    } else if (std::int64_t(text.size()) < field.least) {
        why = field.least == 1 ? "It must not be empty."
                               : "It must have at least " + std::to_string(field.least) + " bytes.";
    } else if (std::int64_t(text.size()) > most) {
        why = "It has more than " + std::to_string(most) + " bytes.";
    } else {
        return Value{text};
    }
    return std::nullopt;
}

void readJson(const OperationInfo& operation, std::string_view json, Values& values,
              Places& wrong) {
    for (auto& [name, member] : readObject(json, wrong)) {
        const auto field = std::find_if(
            operation.fields.begin(), operation.fields.end(),
            [&name = name](const Field& each) { return each.in == In::Body && each.name == name; });
        std::string why;
        if (field == operation.fields.end()) {
            why = "There is no such field.";
        } else if (const auto* list = std::get_if<std::vector<Simple>>(&member)) {
            if (field->many == Many::No)
                why = "It must not be a list.";
            else if (auto value = readMany(*field, *list, why))
                values.emplace(name, std::move(*value));
        } else if (const auto& simple = std::get<Simple>(member);
                   !std::holds_alternative<Null>(simple)) {  // null is as good as absent
            if (field->many == Many::Yes)
                why = "It must be a list.";
            else if (auto value = readSimple(*field, simple, why))
                values.emplace(name, std::move(*value));
        }
        if (!why.empty()) wrong.emplace_back(name.substr(0, nameBytesMax), why);
    }
}

void readArguments(std::string_view json, RawArguments& arguments, Places& wrong) {
    for (auto& [name, member] : readObject(json, wrong)) {
        bool isFitting = true;
        if (auto* list = std::get_if<std::vector<Simple>>(&member)) {
            std::vector<std::string> texts;
            for (auto& each : *list) {
                if (auto* text = std::get_if<std::string>(&each))
                    texts.push_back(std::move(*text));
                else
                    isFitting = false;
            }
            if (isFitting) arguments.emplace(name, std::move(texts));
        } else {
            auto& simple = std::get<Simple>(member);
            if (const bool* isTrue = std::get_if<bool>(&simple))
                arguments.emplace(name, *isTrue);
            else if (const auto* number = std::get_if<std::int64_t>(&simple))
                arguments.emplace(name, *number);
            else if (auto* text = std::get_if<std::string>(&simple))
                arguments.emplace(name, std::move(*text));
            else
                isFitting = std::holds_alternative<Null>(simple);
        }
        if (!isFitting)
            wrong.emplace_back(name.substr(0, nameBytesMax),
                               "It must be a text, a whole number, true or false, or a list of "
                               "texts.");
    }
}

std::optional<Problem> readRequest(const OperationInfo& operation, const PathValues& path,
                                   const HttpRequest& request, std::string_view body, Call& call) {
    Places wrong;
    for (const Field& field : operation.fields) {
        std::string why;
        std::string text;
        if (field.in == In::Path) {
            text = path.find(field.name)->second;
        } else if (field.in == In::Header) {
            text = request.field(lowered(field.name));
            if (text.empty()) continue;
        } else {
            continue;
        }
        if (auto value = readValue(field, text, why))
            call.values.emplace(field.name, std::move(*value));
        else
            wrong.emplace_back(field.name, why);
    }
    readQuery(operation, request.query, call.values, wrong);
    if (operation.body == Body::Json)
        readJson(operation, body.empty() ? "{}" : body, call.values, wrong);
    if (operation.body == Body::Arguments)
        readArguments(body.empty() ? "{}" : body, call.arguments, wrong);
    for (const Field& field : operation.fields)
        if (field.need == Need::Required && !call.has(field.name) &&
            std::none_of(wrong.begin(), wrong.end(), [&field](const auto& each) {
                return each.first == field.name || each.first.empty();
            }))
            wrong.emplace_back(field.name, "It is missing.");
    if (wrong.empty()) return std::nullopt;
    Problem problem{.status = 400, .word = "bad-request"};
    for (const auto& [place, why] : wrong) {
        problem.detail +=
            (problem.detail.empty() ? "" : " ") + (place.empty() ? "" : place + ": ") + why;
    }
    problem.places = std::move(wrong);
    return problem;
}

}  // namespace epode::rest
