// The configuration of a node as a form (XEP-0060, 16.4.4), and what is checked before it is
// believed.
#pragma once

#include "core/data_form.h"
#include "core/stanza_error.h"
#include "model.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode::pubsub {

// What kind of service a node belongs to: an account's own (XEP-0163) or a domain that is served.
enum class ServiceKind : std::uint8_t { Account, Domain };

NodeConfig defaultConfig(ServiceKind kind);

// The form that an owner fills in, with the values of `config` in it; a result has no questions.
DataForm configForm(const NodeConfig& config, FormKind kind);
// What others are told of the configuration (5.4), without the fields about who gets what how.
void addMetaData(DataForm& form, const NodeConfig& config);

// Changes `config` as the owner's form says. Fields that are not known are ignored, as are those
// that are left out; values that make no sense refuse the form as a whole, and `config` is then
// unchanged. A number over the server's limit is as good as "max".
std::optional<StanzaError> applyConfig(const Element* form, ServiceKind kind, NodeConfig& config);

// The preconditions of a publication (7.1.5): checks them against `config`, or with `isNew` makes
// the configuration of a node that does not exist.
enum class NodeIs { Existing, New };
std::optional<StanzaError> applyPublishOptions(const Element& publishOptions, ServiceKind kind,
                                               NodeIs node, NodeConfig& config);

// As text for the store; what is not understood (a later version's) reads as the default.
std::string writeConfig(const NodeConfig& config);
NodeConfig readConfig(std::string_view text, ServiceKind kind);

// A field by its name, for the server's own plugins: false when there is none or the value is
// wrong.
bool setField(NodeConfig& config, ServiceKind kind, std::string_view var, std::string_view value);

}  // namespace epode::pubsub
