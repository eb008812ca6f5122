#include "core/caps.h"

#include "core/base64.h"
#include "core/namespaces.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace epode {

namespace {

using Texts = std::vector<std::string_view>;

bool hasTwins(const auto& sorted) {
    return std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
}

Texts valuesOf(const Element& field) {
    Texts values;
    for (const Element& child : field.children()) {
        if (child.is("value", ns::dataForms)) values.push_back(child.text());
    }
    return values;
}

const Element* formTypeField(const Element& form) {
    for (const Element& field : form.children()) {
        if (field.is("field", ns::dataForms) && field.get("var") == "FORM_TYPE") return &field;
    }
    return nullptr;
}

// A form as XEP-0115 appends it, with its FORM_TYPE.
struct Extension {
    std::string_view formType;
    std::string text;
};

std::string extensionText(const Element& form, std::string_view formType) {
    std::vector<std::pair<std::string_view, Texts>> fields;
    for (const Element& field : form.children()) {
        if (!field.is("field", ns::dataForms) || field.get("var") == "FORM_TYPE") continue;
        auto values = valuesOf(field);
        std::sort(values.begin(), values.end());
        fields.emplace_back(field.get("var"), std::move(values));
    }
    std::sort(fields.begin(), fields.end());
    std::string out;
    out.append(formType).append("<");
    for (const auto& [var, values] : fields) {
        out.append(var).append("<");
        for (const auto value : values) out.append(value).append("<");
    }
    return out;
}

// XEP-0390, 4.1: the parts in the order of their bytes, then the separator.
std::string joined(std::vector<std::string>& parts, char separator) {
    std::sort(parts.begin(), parts.end());
    std::string out;
    for (const auto& part : parts) out += part;
    out += separator;
    return out;
}

std::string unit(std::string_view text) { return std::string{text} + '\x1F'; }

std::string_view langOf(const Element& element, std::string_view inherited) {
    for (const Element* at = &element; at; at = at->parent()) {
        if (const auto lang = at->find("lang", ns::xml)) return *lang;
    }
    return inherited;
}

// Nothing when the form has a table, or no FORM_TYPE (XEP-0068).
std::optional<std::string> formRecord(const Element& form) {
    const auto* formType = formTypeField(form);
    if (!formType || formType->get("type") != "hidden" || valuesOf(*formType).size() != 1) {
        return std::nullopt;
    }
    std::vector<std::string> fields;
    for (const Element& field : form.children()) {
        if (field.is("reported", ns::dataForms) || field.is("item", ns::dataForms)) {
            return std::nullopt;
        }
        if (!field.is("field", ns::dataForms)) continue;
        auto values = valuesOf(field);
        std::sort(values.begin(), values.end());
        std::string record = unit(field.get("var"));
        for (const auto value : values) record += unit(value);
        fields.push_back(record + '\x1E');
    }
    return joined(fields, '\x1D');
}

}  // namespace

std::optional<std::string> capsVerification(const Element& discoInfo, Hash hash) {
    std::vector<std::tuple<std::string_view, std::string_view, std::string_view, std::string_view>>
        identities;
    Texts features;
    std::vector<Extension> extensions;
    for (const Element& child : discoInfo.children()) {
        if (child.is("identity", ns::discoInfo)) {
            identities.emplace_back(child.get("category"), child.get("type"),
                                    child.find("lang", ns::xml).value_or(""), child.get("name"));
        } else if (child.is("feature", ns::discoInfo)) {
            features.push_back(child.get("var"));
        } else if (child.is("x", ns::dataForms)) {
            const auto* formType = formTypeField(child);
            if (!formType || formType->get("type") != "hidden") continue;
            const auto values = valuesOf(*formType);
            if (values.empty()) continue;
            const bool isOne = std::all_of(values.begin(), values.end(), [&](const auto value) {
                return value == values.front();
            });
            if (!isOne) return std::nullopt;
            extensions.push_back({values.front(), extensionText(child, values.front())});
        }
    }
    std::sort(identities.begin(), identities.end());
    std::sort(features.begin(), features.end());
    std::sort(extensions.begin(), extensions.end(),
              [](const Extension& a, const Extension& b) { return a.formType < b.formType; });
    const auto haveSameType = [](const Extension& a, const Extension& b) {
        return a.formType == b.formType;
    };
    if (hasTwins(identities) || hasTwins(features) ||
        std::adjacent_find(extensions.begin(), extensions.end(), haveSameType) !=
            extensions.end()) {
        return std::nullopt;
    }

    std::string text;
    for (const auto& [category, type, lang, name] : identities) {
        text.append(category).append("/").append(type).append("/");
        text.append(lang).append("/").append(name).append("<");
    }
    for (const auto feature : features) text.append(feature).append("<");
    for (const auto& extension : extensions) text.append(extension.text);
    return encodeBase64(digest(hash, text));
}

std::optional<std::string> capsHash(const Element& discoInfo, Hash hash, std::string_view lang) {
    std::vector<std::string> features;
    std::vector<std::string> identities;
    std::vector<std::string> extensions;
    for (const Element& child : discoInfo.children()) {
        if (child.is("feature", ns::discoInfo)) {
            features.push_back(unit(child.get("var")));
        } else if (child.is("identity", ns::discoInfo)) {
            identities.push_back(unit(child.get("category")) + unit(child.get("type")) +
                                 unit(langOf(child, lang)) + unit(child.get("name")) + '\x1E');
        } else if (child.is("x", ns::dataForms)) {
            auto record = formRecord(child);
            if (!record) return std::nullopt;
            extensions.push_back(std::move(*record));
        } else {
            return std::nullopt;
        }
    }
    return encodeBase64(digest(
        hash, joined(features, '\x1C') + joined(identities, '\x1C') + joined(extensions, '\x1C')));
}

std::string capsNode(Hash hash, std::string_view hashText) {
    std::string node = "urn:xmpp:caps#";
    node.append(toText(hash)).append(".").append(hashText);
    return node;
}

}  // namespace epode
