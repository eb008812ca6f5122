// Who has just registered stays logged in: the client continues on the stream of the registration
// without keeping what a reload needs. A login as usual, on a new stream, keeps it.
export function registration(_converse, { Strophe }) {
    const { api } = _converse;
    const Form = api.elements.registry['converse-registration-form'];
    api.elements.define('converse-registration-form', class extends Form {
        onConnectStatusChanged(status, message) {
            if (status !== Strophe.Status.REGISTERED || !this.fields.password)
                return super.onConnectStatusChanged(status, message);
            // "#converse/register" would bring the form back.
            history.replaceState(null, '', location.pathname + location.search);
            api.connection.get().reset();
            _converse.state.chatboxes.get('controlbox')?.set('active-form', 'login');
            return api.user.login(`${this.fields.username}@${this.domain}`.toLowerCase(), this.fields.password);
        }
    });
}
