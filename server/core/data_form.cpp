#include "core/data_form.h"

#include "core/namespaces.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>

namespace epode {

namespace {

constexpr std::array<std::string_view, 10> fieldTypes{
    "boolean",    "fixed",       "hidden",     "jid-multi",    "jid-single",
    "list-multi", "list-single", "text-multi", "text-private", "text-single",
};
constexpr std::array<std::string_view, 4> formKinds{"form", "submit", "cancel", "result"};

FieldType parseFieldType(std::string_view text) {
    const auto found = std::find(fieldTypes.begin(), fieldTypes.end(), text);
    // XEP-0004, 3.3: what we don't know is text.
    if (found == fieldTypes.end()) return FieldType::TextSingle;
    return FieldType(found - fieldTypes.begin());
}

std::optional<FormKind> parseFormKind(std::string_view text) {
    const auto found = std::find(formKinds.begin(), formKinds.end(), text);
    if (found == formKinds.end()) return std::nullopt;
    return FormKind(found - formKinds.begin());
}

bool mayHaveManyValues(FieldType type) {
    return type == FieldType::JidMulti || type == FieldType::ListMulti ||
           type == FieldType::TextMulti || type == FieldType::Hidden;
}

FormField readField(const Element& element) {
    FormField field;
    field.var = element.get("var");
    field.type = parseFieldType(element.get("type"));
    field.label = element.get("label");
    for (const Element& child : element.children()) {
        if (child.ns() != ns::dataForms) continue;
        if (child.name() == "value") {
            field.values.emplace_back(child.text());
        } else if (child.name() == "required") {
            field.isRequired = true;
        } else if (child.name() == "desc") {
            field.description = child.text();
        } else if (child.name() == "option") {
            field.options.push_back(
                {std::string{child.childText("value")}, std::string{child.get("label")}});
        }
    }
    return field;
}

// Nothing when a field lacks its name or shares it.
std::optional<std::vector<FormField>> readFields(const Element& parent) {
    std::vector<FormField> fields;
    std::unordered_set<std::string_view> names;  // views into the tree
    for (const Element& child : parent.children()) {
        if (!child.is("field", ns::dataForms)) continue;
        const auto name = child.get("var");
        fields.push_back(readField(child));
        if (name.empty() && fields.back().type != FieldType::Fixed) return std::nullopt;
        if (!name.empty() && !names.insert(name).second) return std::nullopt;
    }
    return fields;
}

enum class ShowType { Always, UnlessText };

void writeField(Element& parent, const FormField& field, ShowType showType) {
    Element& element = parent.add("field");
    if (!field.var.empty()) element.set("var", field.var);
    if (showType == ShowType::Always || field.type != FieldType::TextSingle) {
        element.set("type", toText(field.type));
    }
    if (!field.label.empty()) element.set("label", field.label);
    if (!field.description.empty()) element.addWithText("desc", field.description);
    if (field.isRequired) element.add("required");
    for (const auto& value : field.values) element.addWithText("value", value);
    for (const auto& option : field.options) {
        Element& child = element.add("option");
        if (!option.label.empty()) child.set("label", option.label);
        child.addWithText("value", option.value);
    }
    if (field.datatype.empty()) return;
    Element& validate = element.add("validate", ns::formValidation);
    validate.set("datatype", field.datatype);
    if (field.least.empty() && field.most.empty()) {
        validate.add("basic");
        return;
    }
    Element& range = validate.add("range");
    if (!field.least.empty()) range.set("min", field.least);
    if (!field.most.empty()) range.set("max", field.most);
}

std::string inQuotes(std::string_view text) { return "'" + std::string{text} + "'"; }

bool isOption(const FormField& question, std::string_view value) {
    if (question.options.empty()) return true;
    return std::any_of(question.options.begin(), question.options.end(),
                       [&](const FieldOption& option) { return option.value == value; });
}

std::optional<std::string> problemWithValue(const FormField& question, std::string_view value) {
    switch (question.type) {
        case FieldType::Boolean:
            if (!parseBoolean(value)) {
                return inQuotes(question.var) + " must be 'true' or 'false'.";
            }
            break;
        case FieldType::JidSingle:
        case FieldType::JidMulti:
            if (!Jid::parse(value)) return inQuotes(question.var) + " must be an address.";
            break;
        case FieldType::ListSingle:
        case FieldType::ListMulti:
            if (!isOption(question, value)) {
                return inQuotes(question.var) + " must be one of its options.";
            }
            break;
        default:
            break;
    }
    return std::nullopt;
}

std::optional<std::string> problemWithField(const FormField& question, const FormField* answer) {
    const auto& values = answer ? answer->values : std::vector<std::string>{};
    // A field without a value, or with an empty one, unsets what was set (XEP-0004, 3.6).
    const bool isBlank = std::all_of(values.begin(), values.end(),
                                     [](const std::string& value) { return value.empty(); });
    if (isBlank) {
        if (!question.isRequired) return std::nullopt;
        return inQuotes(question.var) + " is required.";
    }
    if (values.size() > 1 && !mayHaveManyValues(question.type)) {
        return inQuotes(question.var) + " takes one value.";
    }
    for (const auto& value : values) {
        if (auto problem = problemWithValue(question, value)) return problem;
    }
    return std::nullopt;
}

}  // namespace

std::string_view toText(FieldType type) { return fieldTypes[std::size_t(type)]; }

std::optional<bool> parseBoolean(std::string_view text) {
    if (text == "1" || text == "true") return true;
    if (text == "0" || text == "false") return false;
    return std::nullopt;
}

DataForm::DataForm(FormKind kind, std::string_view formType) : kind_{kind} {
    if (formType.empty()) return;
    add({.var = "FORM_TYPE", .type = FieldType::Hidden, .values = {std::string{formType}}});
}

std::optional<DataForm> DataForm::read(const Element& x) {
    if (!x.is("x", ns::dataForms)) return std::nullopt;
    const auto kind = parseFormKind(x.get("type"));
    auto fields = readFields(x);
    if (!kind || !fields) return std::nullopt;

    DataForm form{*kind};
    form.title_ = x.childText("title");
    form.fields_ = std::move(*fields);
    for (const Element& child : x.children()) {
        if (child.is("instructions", ns::dataForms)) {
            if (!form.instructions_.empty()) form.instructions_ += '\n';
            form.instructions_ += child.text();
        }
        if (!child.is("reported", ns::dataForms) && !child.is("item", ns::dataForms)) continue;
        auto cells = readFields(child);
        if (!cells) return std::nullopt;
        if (child.name() == "item") {
            form.items_.push_back(std::move(*cells));
        } else {
            form.reported_ = std::move(*cells);
        }
    }
    return form;
}

const FormField* DataForm::find(std::string_view var) const {
    for (const auto& field : fields_) {
        if (field.var == var) return &field;
    }
    return nullptr;
}

std::string_view DataForm::text(std::string_view var) const {
    const auto* field = find(var);
    return field && !field->values.empty() ? std::string_view{field->values.front()}
                                           : std::string_view{};
}

std::string DataForm::lines(std::string_view var) const {
    std::string out;
    const auto* field = find(var);
    if (!field) return out;
    for (std::size_t i = 0; i < field->values.size(); ++i) {
        if (i > 0) out += '\n';
        out += field->values[i];
    }
    return out;
}

std::optional<bool> DataForm::boolean(std::string_view var) const {
    return parseBoolean(text(var));
}

std::optional<std::int64_t> DataForm::number(std::string_view var) const {
    const auto value = text(var);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
    return number;
}

std::optional<Jid> DataForm::jid(std::string_view var) const { return Jid::parse(text(var)); }

std::vector<Jid> DataForm::jids(std::string_view var) const {
    std::vector<Jid> out;
    const auto* field = find(var);
    if (!field) return out;
    std::unordered_set<Jid> seen;
    for (const auto& value : field->values) {
        auto jid = Jid::parse(value);
        if (jid && seen.insert(*jid).second) out.push_back(std::move(*jid));
    }
    return out;
}

std::optional<std::string> DataForm::problemWith(const DataForm& answer) const {
    if (answer.kind() != FormKind::Submit) return "This is no submitted form.";
    for (const auto& question : fields_) {
        if (question.type == FieldType::Fixed) continue;
        const auto* answered = answer.find(question.var);
        if (question.var == "FORM_TYPE") {
            // Without one the wrapper tells what the form is for (XEP-0068, 4.1).
            if (!answered || answer.formType() == formType()) continue;
            return "The form must be of the type " + inQuotes(formType()) + ".";
        }
        if (auto problem = problemWithField(question, answered)) return problem;
    }
    return std::nullopt;
}

FormField& DataForm::add(FormField field) {
    fields_.push_back(std::move(field));
    return fields_.back();
}

FormField& DataForm::addText(std::string_view var, std::string_view value, std::string_view label) {
    return add({.var = std::string{var},
                .type = FieldType::TextSingle,
                .label = std::string{label},
                .values = {std::string{value}}});
}

FormField& DataForm::addLines(std::string_view var, std::string_view lines,
                              std::string_view label) {
    FormField field{
        .var = std::string{var}, .type = FieldType::TextMulti, .label = std::string{label}};
    for (std::size_t at = 0; at <= lines.size();) {
        const auto end = std::min(lines.find('\n', at), lines.size());
        field.values.emplace_back(lines.substr(at, end - at));
        at = end + 1;
    }
    return add(std::move(field));
}

FormField& DataForm::addBoolean(std::string_view var, bool value, std::string_view label) {
    return add({.var = std::string{var},
                .type = FieldType::Boolean,
                .label = std::string{label},
                .values = {value ? "1" : "0"}});
}

Element& DataForm::addTo(Element& parent) const {
    Element& x = parent.add("x", ns::dataForms);
    x.set("type", formKinds[std::size_t(kind_)]);
    if (!title_.empty()) x.addWithText("title", title_);
    if (!instructions_.empty()) x.addWithText("instructions", instructions_);
    const auto showType = kind_ == FormKind::Form ? ShowType::Always : ShowType::UnlessText;
    for (const auto& field : fields_) writeField(x, field, showType);
    if (!reported_.empty()) {
        Element& reported = x.add("reported");
        for (const auto& field : reported_) writeField(reported, field, ShowType::Always);
    }
    for (const auto& cells : items_) {
        Element& item = x.add("item");
        for (const auto& field : cells) writeField(item, field, ShowType::UnlessText);
    }
    return x;
}

std::optional<std::int64_t> readNumber(const std::vector<std::string>& values, std::int64_t most) {
    if (values.empty() || values.front().empty() || values.front() == "none") return 0;
    const std::string& text = values.front();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (number < 0 || number > most) return std::nullopt;
    return number;
}

}  // namespace epode
