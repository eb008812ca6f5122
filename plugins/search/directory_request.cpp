#include "directory_request.h"

#include "core/namespaces.h"
#include "core/precis.h"

#include <algorithm>

namespace epode::search {

namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

StanzaError notAnswer() {
    return {Condition::BadRequest, "This is no answer to the form of the directory."};
}
StanzaError tooLong(std::string_view field) {
    return {Condition::NotAcceptable, "The field " + std::string{field} + " is too long."};
}
StanzaError unusable(std::string_view field) {
    return {Condition::NotAcceptable,
            "The field " + std::string{field} + " holds characters that no name has."};
}
StanzaError nothingTold() { return {Condition::NotAcceptable, "Fill in at least one field."}; }

FormField questionOf(std::size_t field, std::string_view value = {}) {
    FormField question{.var = std::string{fieldNames[field]},
                       .label = std::string{fieldLabels[field]}};
    if (!value.empty()) question.values.emplace_back(value);
    return question;
}

}  // namespace

std::variant<Request, StanzaError> readRequest(const Element& query, std::string_view formType) {
    Request request;
    std::optional<DataForm> form;
    if (const Element* x = query.child("x", ns::dataForms)) {
        form = DataForm::read(*x);
        if (!form || form->kind() != FormKind::Submit) return notAnswer();
        if (!form->formType().empty() && form->formType() != formType) return notAnswer();
        request.way = Way::Form;
    }
    for (std::size_t i = 0; i < fieldCount; ++i) {
        const auto value =
            trimmed(form ? form->text(fieldNames[i]) : query.childText(fieldNames[i]));
        if (value.size() > fieldBytesMax) return tooLong(fieldNames[i]);
        request.fields[i] = value;
    }
    return request;
}

std::variant<Wishes, StanzaError> readWishes(const Fields& fields) {
    Wishes wishes;
    bool isAnything = true;
    for (std::size_t i = 0; i < fieldCount; ++i) {
        std::string_view text = fields[i];
        if (text.empty()) continue;
        Wish& wish = wishes[i];
        if (text.ends_with('*')) {
            wish.isBegin = true;
            text.remove_suffix(1);
        }
        if (text.find('*') != std::string_view::npos)
            return StanzaError{Condition::NotAcceptable,
                               "A * stands for the rest of a field, at its end alone."};
        const auto key = keyOf(text);
        const auto letters = key ? precis::codePoints(*key) : std::nullopt;
        if (wish.isBegin && (!letters || letters->size() < lettersBeforeStar))
            return StanzaError{Condition::NotAcceptable, "Say more than one letter before the *."};
        if (!key) return unusable(fieldNames[i]);
        wish.key = *key;
        isAnything = false;
    }
    if (isAnything) return nothingTold();
    return wishes;
}

std::optional<StanzaError> problemWith(const Fields& listing) {
    bool isEmpty = true;
    for (std::size_t i = 0; i < fieldCount; ++i) {
        if (listing[i].empty()) continue;
        isEmpty = false;
        if (!keyOf(listing[i])) return unusable(fieldNames[i]);
    }
    if (isEmpty) return nothingTold();
    return std::nullopt;
}

void addQuestions(Element& query, std::string_view formType, std::string_view title,
                  std::string_view instructions, const Fields& known) {
    query.addWithText("instructions", instructions);
    for (std::size_t i = 0; i < fieldCount; ++i) {
        Element& field = query.add(fieldNames[i]);
        if (!known[i].empty()) field.addText(known[i]);
    }
    DataForm form{FormKind::Form, formType};
    form.setTitle(title);
    form.setInstructions(instructions);
    for (std::size_t i = 0; i < fieldCount; ++i) form.add(questionOf(i, known[i]));
    form.addTo(query);
}

void addPeople(Element& query, std::span<const Person> people, Way way) {
    if (people.empty()) return;
    if (way == Way::Elements) {
        for (const Person& person : people) {
            Element& item = query.add("item");
            item.set("jid", person.jid);
            for (std::size_t i = 0; i < fieldCount; ++i)
                item.addWithText(fieldNames[i], person.fields[i]);
        }
        return;
    }
    DataForm form{FormKind::Result, searchNs};
    std::vector<FormField> columns{
        {.var = "jid", .type = FieldType::JidSingle, .label = "Address"}};
    for (std::size_t i = 0; i < fieldCount; ++i) columns.push_back(questionOf(i));
    form.report(std::move(columns));
    for (const Person& person : people) {
        std::vector<FormField> cells{
            {.var = "jid", .type = FieldType::JidSingle, .values = {person.jid}}};
        for (std::size_t i = 0; i < fieldCount; ++i)
            cells.push_back(questionOf(i, person.fields[i]));
        form.addItem(std::move(cells));
    }
    form.addTo(query);
}

}  // namespace epode::search
