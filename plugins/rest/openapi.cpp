// The OpenAPI document (3.1.0), made of what is declared.
#include "service.h"

#include "core/json_writer.h"
#include "core/version.h"

#include <algorithm>
#include <set>

namespace epode::rest {

namespace {

void writeType(JsonWriter& json, const Field& field) {
    const auto type = [&json](std::string_view name, std::string_view format = {}) {
        json.key("type").value(name);
        if (!format.empty()) json.key("format").value(format);
    };
    switch (field.kind) {
        case Kind::Boolean:
            type("boolean");
            break;
        case Kind::Integer:
            type("integer", "int64");
            if (field.least != 0 || field.most != 0) json.key("minimum").value(field.least);
            if (field.most != 0) json.key("maximum").value(field.most);
            break;
        case Kind::Time:
            type("string", "date-time");
            break;
        case Kind::Id:
            type("string", "uuid");
            break;
        case Kind::Secret:
            type("string", "password");
            break;
        case Kind::Choice:
            type("string");
            json.key("enum").open('[');
            for (const auto choice : field.choices) json.value(choice);
            json.close(']');
            break;
        case Kind::Object:
            json.key("$ref").value("#/components/schemas/" + std::string{field.schema});
            break;
        case Kind::Any:
            break;
        case Kind::Text:
        case Kind::Address:
            type("string");
            if (field.many == Many::No && field.least > 0) json.key("minLength").value(field.least);
            if (field.many == Many::No && field.most > 0) json.key("maxLength").value(field.most);
            break;
    }
}

void writeSchemaOf(JsonWriter& json, const Field& field, bool hasHelp) {
    json.open('{');
    if (field.many == Many::Yes) {
        json.key("type").value(std::string_view{"array"}).key("items").open('{');
        Field each = field;
        each.many = Many::No;
        each.least = each.most = 0;
        writeType(json, each);
        json.close('}');
        if (field.most != 0) json.key("maxItems").value(field.most);
    } else {
        writeType(json, field);
    }
    if (hasHelp) json.key("description").value(field.help);
    json.close('}');
}

// Requests are closed: what is not declared is refused.
void writeObject(JsonWriter& json, const std::vector<Field>& fields, In in, bool isClosed) {
    json.open('{').key("type").value(std::string_view{"object"}).key("properties").open('{');
    for (const Field& field : fields) {
        if (field.in != in) continue;
        json.key(field.name);
        writeSchemaOf(json, field, true);
    }
    json.close('}');
    std::vector<std::string> needed;
    for (const Field& field : fields)
        if (field.in == in && field.need == Need::Required) needed.emplace_back(field.name);
    if (!needed.empty()) json.key("required").list(needed);
    if (isClosed) json.key("additionalProperties").flag(false);
    json.close('}');
}

std::string_view placeOf(In in) {
    return in == In::Path ? "path" : in == In::Query ? "query" : "header";
}

void writeParameters(JsonWriter& json, const OperationInfo& operation) {
    bool isFirst = true;
    for (const Field& field : operation.fields) {
        if (field.in == In::Body) continue;
        if (std::exchange(isFirst, false)) json.key("parameters").open('[');
        json.open('{').key("name").value(field.name).key("in").value(placeOf(field.in));
        json.key("required").flag(field.need == Need::Required);
        json.key("description").value(field.help).key("schema");
        writeSchemaOf(json, field, false);
        json.close('}');
    }
    if (!isFirst) json.close(']');
}

void writeBody(JsonWriter& json, const OperationInfo& operation) {
    if (operation.body == Body::None) return;
    json.key("requestBody").open('{').key("content").open('{');
    if (operation.body == Body::Bytes) {
        json.key("image/*").open('{').close('}');
    } else {
        json.key("application/json").open('{').key("schema");
        if (operation.body == Body::Arguments)
            json.open('{').key("type").value(std::string_view{"object"}).close('}');
        else
            writeObject(json, operation.fields, In::Body, true);
        json.close('}');
    }
    json.close('}').close('}');
}

void writeAnswers(JsonWriter& json, const OperationInfo& operation) {
    json.key("responses").open('{');
    json.key(std::to_string(operation.status)).open('{');
    json.key("description").value(operation.summary);
    if (operation.status != 204) {
        json.key("content").open('{').key(operation.answerType).open('{');
        if (!operation.answer.empty()) {
            json.key("schema");
            writeObject(json, operation.answer, In::Body, false);
        }
        json.close('}').close('}');
    }
    json.close('}');
    if (operation.path == "/openapi.json" || operation.path == "/") {
        json.close('}');
        return;
    }
    std::set<int> statuses{operation.errors.begin(), operation.errors.end()};
    statuses.insert({400, 429, 503});
    if (operation.scope != Scope::None) statuses.insert({401, 403});
    for (const int status : statuses) {
        json.key(std::to_string(status)).open('{');
        if (status < 300) {
            json.key("description").value(std::string_view{"It is new."}).close('}');
            continue;
        }
        std::string title;
        for (const ProblemKind& kind : problemKinds())
            if (kind.status == status) title.append(title.empty() ? "" : "; ").append(kind.title);
        json.key("description").value(std::string_view{title}).key("content").open('{');
        json.key("application/problem+json").open('{').key("schema").open('{');
        json.key("$ref").value(std::string_view{"#/components/schemas/Problem"});
        json.close('}').close('}').close('}').close('}');
    }
    json.close('}');
}

void writeOperation(JsonWriter& json, const OperationInfo& operation) {
    std::string method{toText(operation.method)};
    for (char& c : method) c = char(c - 'A' + 'a');
    json.key(method).open('{').key("operationId").value(operation.id);
    json.key("tags").list({std::string{operation.group}});
    json.key("summary").value(operation.summary);
    if (!operation.details.empty()) json.key("description").value(operation.details);
    if (operation.scope != Scope::None) {
        json.key("security").open('[').open('{').key("token").open('[');
        json.value(toText(operation.scope)).close(']').close('}').close(']');
    }
    writeParameters(json, operation);
    writeBody(json, operation);
    writeAnswers(json, operation);
    json.close('}');
}

void writeProblemSchema(JsonWriter& json) {
    const std::vector<Field> fields{
        {.name = "type", .help = "What kind it is; its end is a word for programs."},
        {.name = "title", .help = "The kind, for people."},
        {.name = "status", .kind = Kind::Integer, .help = "The status of the answer."},
        {.name = "detail", .help = "What is wrong, in a sentence."},
        {.name = "condition", .help = "The condition of XMPP, where it was an error of XMPP."},
        {.name = "errors",
         .kind = Kind::Any,
         .many = Many::Yes,
         .help = "What is wrong where: \"name\" and \"detail\" of each."}};
    json.key("Problem");
    writeObject(json, fields, In::Body, false);
}

}  // namespace

std::string openApiDocument() {
    JsonWriter json;
    json.open('{').key("openapi").value(std::string_view{"3.1.0"});
    json.key("info").open('{').key("title").value(std::string_view{"Epode"});
    json.key("version").value(std::string_view{epode::version});
    json.key("summary").value(std::string_view{"Chat by REST: for bots, pages and operators"});
    json.close('}');
    json.key("servers").open('[').open('{').key("url").value(basePath).close('}').close(']');
    json.key("paths").open('{');
    // Methods of one path stand together, in the order of the declarations.
    std::vector<std::string_view> paths;
    for (const Operation& operation : Service::operations())
        if (std::find(paths.begin(), paths.end(), operation.path) == paths.end())
            paths.push_back(operation.path);
    for (const auto path : paths) {
        json.key(path).open('{');
        for (const Operation& operation : Service::operations())
            if (operation.path == path) writeOperation(json, operation);
        json.close('}');
    }
    json.close('}').key("components").open('{').key("schemas").open('{');
    for (const Schema& schema : schemas()) {
        json.key(schema.name);
        writeObject(json, schema.fields, In::Body, false);
    }
    writeProblemSchema(json);
    json.close('}').key("securitySchemes").open('{').key("token").open('{');
    json.key("type")
        .value(std::string_view{"http"})
        .key("scheme")
        .value(std::string_view{"bearer"});
    json.key("bearerFormat").value(std::string_view{"JWT"});
    json.close('}').close('}').close('}');
    return json.close('}').take() + "\n";
}

Task<Outcome> Service::showDocument(Call&) {
    Answer answer;
    answer.body = document_;
    answer.fields = {{"Cache-Control", "public, max-age=300"}};
    co_return answer;
}

}  // namespace epode::rest
