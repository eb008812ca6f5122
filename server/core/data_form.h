// Data forms (XEP-0004) with FORM_TYPE (XEP-0068): questions, answers and tables of results.
#pragma once

#include "core/element.h"
#include "core/jid.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

enum class FormKind : std::uint8_t { Form, Submit, Cancel, Result };

enum class FieldType : std::uint8_t {
    Boolean,
    Fixed,
    Hidden,
    JidMulti,
    JidSingle,
    ListMulti,
    ListSingle,
    TextMulti,
    TextPrivate,
    TextSingle,
};
std::string_view toText(FieldType type);  // "list-single"

struct FieldOption {
    std::string value;
    std::string label = {};
};

struct FormField {
    std::string var;  // may be empty in a Fixed one alone
    FieldType type = FieldType::TextSingle;
    std::string label = {};
    std::vector<std::string> values = {};
    std::vector<FieldOption> options = {};
    bool isRequired = false;
    std::string description = {};
    // For who fills the form (XEP-0122): "xs:integer", and between what it lies.
    std::string datatype = {};
    std::string least = {};
    std::string most = {};
};

// The value of a boolean field: "1", "true", "0" or "false"; nothing for anything else.
std::optional<bool> parseBoolean(std::string_view text);

class DataForm {
public:
    // With the hidden field FORM_TYPE when `formType` is given.
    explicit DataForm(FormKind kind, std::string_view formType = {});

    // Reads an <x xmlns='jabber:x:data'/>; nothing when it is none, its type is unknown, or a field
    // has no name or another's name. The types of a submission are mostly unsaid and read as
    // TextSingle.
    static std::optional<DataForm> read(const Element& x);

    FormKind kind() const { return kind_; }
    std::string_view formType() const { return text("FORM_TYPE"); }
    const std::vector<FormField>& fields() const { return fields_; }

    // Null when there is no such field.
    const FormField* find(std::string_view var) const;
    // The first value, empty when there is none.
    std::string_view text(std::string_view var) const;
    // All values of a text-multi as one text of several lines.
    std::string lines(std::string_view var) const;
    // Nothing when the field is absent or holds no such value.
    std::optional<bool> boolean(std::string_view var) const;
    std::optional<std::int64_t> number(std::string_view var) const;
    std::optional<Jid> jid(std::string_view var) const;
    // Each valid address once (XEP-0004, 3.3).
    std::vector<Jid> jids(std::string_view var) const;

    // A sentence that says what is wrong with an answer to this form (for not-acceptable), or
    // nothing. What was not asked is ignored, and what may be left out may be left out.
    std::optional<std::string> problemWith(const DataForm& answer) const;

    // Building; returns the field.
    FormField& add(FormField field);
    FormField& addText(std::string_view var, std::string_view value, std::string_view label = {});
    FormField& addLines(std::string_view var, std::string_view lines, std::string_view label = {});
    FormField& addBoolean(std::string_view var, bool value, std::string_view label = {});
    void setTitle(std::string_view title) { title_ = title; }
    void setInstructions(std::string_view instructions) { instructions_ = instructions; }
    const std::string& title() const { return title_; }
    const std::string& instructions() const { return instructions_; }

    // A table (XEP-0004, 3.4): the columns, then one row after another.
    void report(std::vector<FormField> columns) { reported_ = std::move(columns); }
    void addItem(std::vector<FormField> cells) { items_.push_back(std::move(cells)); }
    const std::vector<FormField>& reported() const { return reported_; }
    const std::vector<std::vector<FormField>>& items() const { return items_; }

    // Adds the <x/>; returns it.
    Element& addTo(Element& parent) const;

private:
    FormKind kind_;
    std::string title_;
    std::string instructions_;
    std::vector<FormField> fields_;
    std::vector<FormField> reported_;
    std::vector<std::vector<FormField>> items_;
};

// The number that the values of a field are, from 0 to `most`; nothing, an empty value and "none" are 0:
// no limit, or none at all. Nothing when they are something else.
std::optional<std::int64_t> readNumber(const std::vector<std::string>& values, std::int64_t most);

}  // namespace epode
