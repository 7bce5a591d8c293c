// What a web application does with imapflow: list, a new Chinese folder, append, flags, search, move, download, and
// IDLE until a mail arrives.  Says "idling" when it waits; prints what it saw as JSON.
const { ImapFlow } = require('imapflow');
const fs = require('fs');

const [, , port, user, pass, ca] = process.argv;

async function main() {
    const client = new ImapFlow({
        host: 'localhost', port: Number(port), secure: true, auth: { user, pass },
        tls: { ca: fs.readFileSync(ca) }, logger: false,
    });
    const seen = {};
    await client.connect();
    seen.folders = (await client.list()).map((f) => [f.path, f.specialUse || '']);
    seen.created = (await client.mailboxCreate('项目')).path;
    const mail = 'From: one@north.test\r\nSubject: =?utf-8?B?6am/56uZ?=\r\n\r\nthe body\r\n';
    const appended = await client.append('项目', mail, ['\\Flagged'], new Date(0));
    let lock = await client.getMailboxLock('项目');
    try {
        const one = await client.fetchOne(String(appended.uid), { flags: true, envelope: true, internalDate: true,
            bodyStructure: true, source: true }, { uid: true });
        seen.subject = one.envelope.subject;
        seen.flags = [...one.flags];
        seen.date = one.internalDate.getTime();
        seen.type = one.bodyStructure.type;
        seen.same = one.source.toString() === mail;
        seen.found = await client.search({ subject: '驿站' }, { uid: true });
        await client.messageFlagsAdd(String(appended.uid), ['\\Seen', '$Label1'], { uid: true });
        seen.unseen = (await client.status('项目', { messages: true, unseen: true })).unseen;
        const moved = await client.messageMove(String(appended.uid), 'INBOX', { uid: true });
        seen.moved = moved.uidMap.size;
    } finally {
        lock.release();
    }
    lock = await client.getMailboxLock('INBOX');
    try {
        seen.before = client.mailbox.exists;
        const arrived = new Promise((resolve) => client.once('exists', resolve));
        client.idle();
        console.error('idling');
        const event = await arrived;
        seen.exists = [event.prevCount, event.count];
        seen.last = (await client.fetchOne('*', { envelope: true })).envelope.subject;
    } finally {
        lock.release();
    }
    await client.mailboxDelete('项目');
    await client.logout();
    console.log(JSON.stringify(seen));
}

main().catch((e) => { console.error(e); process.exit(1); });
