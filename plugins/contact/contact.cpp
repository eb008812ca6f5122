// Contact addresses of the service (XEP-0157), in the host's service discovery.
#include "core/namespaces.h"
#include "plugin/plugin.h"

#include <array>

namespace epode {
namespace {

using Addresses = Option<std::vector<std::string>>;

// URIs such as "mailto:abuse@example.org" or "xmpp:admin@example.org".
const Addresses abuse{.key = "contact.abuse", .help = "Where to report abuse, as URIs."};
const Addresses admin{.key = "contact.admin", .help = "How to reach the administrators, as URIs."};
const Addresses feedback{.key = "contact.feedback", .help = "Where feedback goes, as URIs."};
const Addresses sales{.key = "contact.sales", .help = "How to reach sales, as URIs."};
const Addresses security{.key = "contact.security", .help = "Where to report security problems, as URIs."};
const Addresses status{.key = "contact.status", .help = "Pages that tell the state of the service, as URIs."};
const Addresses support{.key = "contact.support", .help = "How to get support, as URIs."};

constexpr std::array fields{&abuse, &admin, &feedback, &sales, &security, &status, &support};

class Contacts final : public Plugin {
public:
    explicit Contacts(PluginContext& context) {
        // The field of contact.abuse is abuse-addresses, and so on.
        for (const Addresses* option : fields) {
            const auto& addresses = context.value(*option);
            const auto name = option->key.substr(option->key.find('.') + 1);
            if (!addresses.empty()) given_.push_back({std::string{name} + "-addresses", addresses});
        }
        if (!given_.empty())
            context.hostDisco().extensions.push_back([this](Element& query) { addForm(query); });
    }

private:
    struct Given {
        std::string field;
        std::vector<std::string> addresses;
    };

    void addForm(Element& query) const {
        Element& form = query.add("x", ns::dataForms).set("type", "result");
        form.add("field")
            .set("var", "FORM_TYPE")
            .set("type", "hidden")
            .addWithText("value", "http://jabber.org/network/serverinfo");
        for (const Given& given : given_) {
            Element& field = form.add("field").set("var", given.field).set("type", "list-multi");
            for (const auto& address : given.addresses) field.addWithText("value", address);
        }
    }

    std::vector<Given> given_;
};

const PluginInfo info{
    .name = "contact",
    .summary = "Publishes how to reach those who run the service",
    .implements = {{"XEP-0157", "1.1.1"}},
    .options = {&abuse, &admin, &feedback, &sales, &security, &status, &support},
};

}  // namespace

DECLARE_PLUGIN(Contacts, info)

}  // namespace epode
