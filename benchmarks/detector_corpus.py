"""Writes tests/data/detectors: texts with personal data and secrets in them, and hard negatives.

    python benchmarks/detector_corpus.py

The texts are ours, the values are drawn from a seed; their check digits come from python-stdnum, so
that the corpus owes nothing to the detectors' own arithmetic. `tuned` and `held_out` share no
template and no value. Detectors may be changed for what `tuned` shows, never for `held_out`.

In the files a secret has a `¦` after its third letter, so that scanners of repositories find none.
"""

import importlib
import json
import random
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "tests" / "data" / "detectors"


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def drawn(rng: random.Random, shape: str) -> str:
    """`#` a digit, `@` a capital, `?` a letter or digit of any case, `~` base64url; a date is DD,
    MM, YY."""
    date = {"DD": f"{rng.randint(1, 28):02}", "MM": f"{rng.randint(1, 12):02}"}
    date["YY"] = f"{rng.randint(50, 99):02}"
    for name, value in date.items():
        shape = shape.replace(name, value)
    letters = {
        "#": string.digits,
        "@": string.ascii_uppercase,
        "?": string.ascii_letters + string.digits,
        "~": string.ascii_letters + string.digits + "-_",
        "^": string.ascii_uppercase + string.digits,
        "%": "0123456789abcdef",
    }
    return "".join(rng.choice(letters[each]) if each in letters else each for each in shape)


def checked(rng: random.Random, module: str, shape: str, *, valid: bool = True) -> str:
    """A value of the shape that python-stdnum accepts, or that differs from one by a digit."""
    numbers = importlib.import_module(f"stdnum.{module}")

    def is_valid(value: str) -> bool:
        if module == "iban":  # the account's own check digits, which some countries have, are drawn
            return bool(numbers.is_valid(value, check_country=False))
        if module == "luhn":
            return bool(numbers.is_valid(value.replace(" ", "").replace("-", "")))
        return bool(numbers.is_valid(value))

    while not is_valid(value := drawn(rng, shape)):
        pass
    while not valid and is_valid(value):
        at = rng.choice([n for n, letter in enumerate(value) if letter.isdigit()])
        value = value[:at] + rng.choice(string.digits) + value[at + 1 :]
    return value


# Country's name of it, module of python-stdnum, shape, and whether it is told without any word.
IDS: tuple[tuple[str, str, str], ...] = (
    ("Steuer-ID", "de.idnr", "###########"),
    ("DNI", "es.dni", "########@"),
    ("NIE", "es.nie", "X#######@"),
    ("codice fiscale", "it.codicefiscale", "RSSMRAYYT10A562@"),
    ("numéro de sécurité sociale", "fr.nir", "1YYMM75######0#"),
    ("BSN", "nl.bsn", "#########"),
    ("PESEL", "pl.pesel", "YYMMDD#####"),
    ("personnummer", "se.personnummer", "YYMMDD-####"),
    ("rijksregisternummer", "be.nn", "YY.MM.DD-###.##"),
    ("NHS number", "gb.nhs", "### ### ####"),
    ("CPF", "br.cpf", "###.###.###-##"),
    ("CNPJ", "br.cnpj", "##.###.###/0001-##"),
    ("身份证号", "cn.ric", "11010119YYMMDD####"),
    ("Aadhaar", "in_.aadhaar", "#### #### ####"),
    ("SIN", "ca.sin", "### ### ###"),
    ("TFN", "au.tfn", "### ### ###"),
    ("CPR", "dk.cpr", "DDMMYY-####"),
    ("henkilötunnus", "fi.hetu", "DDMMYY-###@"),
    ("fødselsnummer", "no.fodselsnummer", "DDMMYY#####"),
    ("rodné číslo", "cz.rc", "YYMMDD/####"),
    ("NIF", "pt.nif", "2########"),
    ("AHV-Nummer", "ch.ssn", "756.####.####.##"),
    ("PPS number", "ie.pps", "#######@"),
    ("CNP", "ro.cnp", "1YYMMDD40####"),
    ("ЕГН", "bg.egn", "YYMMDD####"),
    ("TC kimlik no", "tr.tckimlik", "###########"),
    ("주민등록번호", "kr.rrn", "YYMMDD-1######"),
    ("マイナンバー", "jp.in_", "############"),
    ("CURP", "mx.curp", "GOMHYYMMDDHDFRRL0#"),
    ("RUT", "cl.rut", "1#.###.###-#"),
    ("CUIT", "ar.cuit", "20-########-#"),
    ("תעודת זהות", "il.idnr", "#########"),
    ("ID number", "za.idnr", "YYMMDD#####8#"),
    ("OIB", "hr.oib", "###########"),
)
IBANS = (
    "DE## #### #### #### #### ##",
    "GB##WEST##############",
    "FR## #### #### #### #### #### ###",
    "NL##ABNA##########",
    "ES######################",
    "IT##X##########AAA#########"[:27],
    "PL##########################",
    "CH#################A#"[:21],
    "BE##############",
    "AT## #### #### #### ####",
)
CARDS = ("4### #### #### ####", "4###############", "51##-####-####-####", "37## ###### #####")
SECRETS = (
    "sk-????????????????????????????????????????????????",
    "sk-proj-~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    "sk-ant-api03-~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    "AKIA@@@@2@@@3@@@@7@@",
    "ASIA@@@4@@@@@6@@@@@2",
    "AIza???????????????????????????????????",
    "ghp_????????????????????????????????????",
    "gho_????????????????????????????????????",
    "github_pat_??????????????????????_??????????????????????????????????",
    "glpat-????????????????????",
    "xoxb-############-############-????????????????????????",
    "sk_live_????????????????????????",
    "rk_live_????????????????????????",
    "npm_????????????????????????????????????",
    "pypi-AgEIcHlwaS5vcmc~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    "hf_??????????????????????????????????",
    "SG.??????????????????????.???????????????????????????????????????????",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI????????????????.~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    "dop_v1_%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%",
    "shpat_%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%",
    "gsk_????????????????????????????????????????????????????",
    "xai-????????????????????????????????????????????????????????????????????????????????",
    "key-%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%",
)
# Texts in which the secret has no telling beginning of its own; {} is the secret.
SECRETS_IN_PLACE: dict[str, tuple[tuple[str, str], ...]] = {
    "tuned": (
        ("password: {}", "hunter????##"),
        ("DB_PASSWORD={}", "k????????##?"),
        ('"client_secret": "{}"', "??????????????????????#?"),
        ("aws_secret_access_key = {}", "?????????????????????????????????????#??"),
        ("Authorization: Bearer {}", "~~~~~~~~~~~~~~~~~~~~~~~~~~#a"),
        ("Authorization: Basic {}", "dXNlcjpwYXNz????????"),
        ("postgres://app:{}@db.internal:5432/shop", "s3cr????"),
        ("Mein Passwort: {}", "Sommer##?a"),
        ("la contraseña es: {}", "Gato##??a9"),
        ("export API_TOKEN='{}'", "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%"),
        ("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", "MII~~~~~~~~~~~~~~"),
    ),
    "held_out": (
        ("passwd={} # of the old box", "Zebra??##!x1"),
        ("mot de passe : {}", "Soleil##?b"),
        ("pwd = '{}'", "w????????#9"),
        ('{{"accessToken": "{}"}}', "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%a1"),
        ("curl -H 'Authorization: Bearer {}' https://api.example.com", "~~~~~~~~~~~~~~~~~~~~~~#b"),
        ("redis://:{}@cache:6379/0", "p4ss????"),
        ("mongodb+srv://svc:{}@cluster0.example.net/app", "Qw3rt????"),
        ("AWS_SECRET_ACCESS_KEY: {}", "?????????????????????????????????????#??"),
        ("密码：{}", "Dragon##??a1"),
        ("hasło: {}", "Zima##??a2"),
        ("Server=db;User Id=sa;Password={};", "Str0ng??##"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
            "b3Bl~~~~~~~~",
        ),
    ),
}
TWILIO = ("TWILIO_AUTH_TOKEN={}", "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%")
EMAILS: dict[str, tuple[str, ...]] = {
    "tuned": (
        "anna.berg@example.com",
        "j.o'neil+shop@mail.example.co.uk",
        "müller@exämple.de",
        "x_9@sub-domain.example.museum",
        "john dot smith at example dot com",
        "kim (at) example.org",
        "sales@xn--exmple-cua.de",
        "INFO@EXAMPLE.NET",
    ),
    "held_out": (
        "piet.de.vries@example.nl",
        "a@b.co",
        "maria-josé@ejemplo.example",
        "o'connor@post.example.ie",
        "lee[at]example[dot]kr",
        "first.last%team@corp.example.io",
        "jane dot doe at mail dot example dot org",
        "用户@例子.example",
    ),
}
PHONES: dict[str, tuple[str, ...]] = {
    "tuned": (
        "+44 7700 900123",
        "0049 30 901820",
        "(202) 555-0143",
        "06 12 34 56 78",
        "+1-202-555-0178",
        "+33 6 12 34 56 78",
        "020 7946 0018",
        "+81 3-1234-5678",
        "+86 138 1234 5678",
        "+55 11 91234-5678",
        "+919876543210",
        "030/901820",
    ),
    "held_out": (
        "+49 (0)30 901820",
        "07700 900456",
        "+31 6 12345678",
        "202.555.0119",
        "01 42 68 53 00",
        "+7 912 345-67-89",
        "+34 612 34 56 78",
        "0041 44 668 18 00",
        "+61 412 345 678",
        "1-202-555-0107",
        "+82 10-1234-5678",
        "plus four four seven seven double oh nine hundred four five six",
    ),
}
# Numbers that are a telephone's only because a word says so.
ANNOUNCED: dict[str, tuple[tuple[str, str], ...]] = {
    "tuned": (
        ("call me on {} after six", "5551234567"),
        ("Rückruf bitte unter Telefon {}", "901820456"),
        ("mon téléphone : {}", "612345678"),
        ("电话：{}", "13812345678"),
        ('{{"phone": "{}"}}', "2025550143"),
        ("WhatsApp {}", "612 345 678"),
    ),
    "held_out": (
        ("ring {} and ask for Sam", "2025550188"),
        ("Handy: {}", "15123456789"),
        ("mi móvil es {}", "612345679"),
        ("手机号 {} 谢谢", "13912345678"),
        ('{{"mobilePhone": {}}}', "2025550144"),
        ("telefoon {} (na 18 uur)", "201234567"),
        ("携帯 {} まで", "09012345678"),
        ("тел. {}", "9123456789"),
    ),
}
IPS: dict[str, tuple[str, ...]] = {
    "tuned": ("203.0.113.77", "198.51.100.4", "10.2.33.4", "2001:db8:85a3::8a2e:370:7334"),
    "held_out": ("192.0.2.146", "172.16.5.250", "8.8.4.4", "2001:db8::dead:beef:1"),
}
SSNS: dict[str, tuple[tuple[str, str], ...]] = {
    "tuned": (
        ("SSN: {}", "123-45-6789"),
        ("social security number {}", "536 22 8726"),
        ('{{"ssn": "{}"}}', "457556712"),
        ("my social is {}", "212-09-7694"),
    ),
    "held_out": (
        ("The patient's SSN is {}.", "514-14-8905"),
        ("soc sec no {}", "449-72-4567"),
        ("ssn={}", "219099999"),
        ('{{"socialSecurityNumber": "{}"}}', "001-01-0001"),
    ),
}
AROUND: dict[str, tuple[str, ...]] = {
    "tuned": (
        "Please write to {} before Friday.",
        "Bitte {} in den Vorgang eintragen.",
        "Mon dossier : {}, merci.",
        "我的信息是 {} 。",
        '{{"id": 7, "value": "{}", "ok": true}}',
        "2026-11-24T05:00:12.123Z WARN user={} order=A-31500 took=12ms",
        "- {}\n- A-31500\n- v1.2.3",
        "x = '{}'  # do not commit",
        "Hola, mi dato es {} y el pedido 2026-0077.",
    ),
    "held_out": (
        "Customer said: {}; closing the ticket.",
        "Hier meine Angaben: {}. Danke!",
        "Le client a donné {} hier soir",
        "请查收 {}，谢谢。",
        '[{{"row": 1, "cell": "{}"}}, {{"row": 2, "cell": null}}]',
        "INFO 12:30:45.001 [worker-7] payload: {} (attempt 2 of 3)",
        "name,contact\nSam,{}\n",
        '<td class="c">{}</td>',
        "Ciao, ecco: {} . Ordine 2026-0302",
        "| ref | {} |",
    ),
}
ID_AROUND: dict[str, tuple[str, ...]] = {
    "tuned": ("{name}: {}", "{name} {}, order A-31500", '{{"{name}": "{}"}}'),
    "held_out": ("His {name} is {} .", "({name} {})", "{name}={}; ticket 4711"),
}
NEGATIVES: dict[str, tuple[str, ...]] = {
    "tuned": (
        "Order A-31500, invoice 2026-0077 and RE-2026-00123 were paid.",
        "order number 5550129, customer no 20261188, ticket 4711",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 fixes it",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "request 123e4567-e89b-12d3-a456-426614174000 took 12 ms",
        "2026-11-24T05:00:12.123456Z, 1732480000000, 1732480000",
        "ISBN 978-3-16-148410-0 and EAN 4006381333931",
        "v1.2.3.4, firmware 4.2.1.0, version: 10.0.0.1, build 20261124.3",
        "1.860.000,00 €, $1,234,567.89, EUR 12 345 678, 1 234 567,50 euro",
        "token: expired, password: forgotten, the key is lost, sk-no",
        "tracking 1Z999AA10123456784, parcel JJD000390007827812345",
        "look at example.com, @handle, a@b, foo@localhost, @decorator",
        "from pkg@1.2.3 import x; npm i left-pad@1.3.0 @scope/name@2.0.0",
        "git@github.com:owner/repo.git",
        "127.0.0.1, 0.0.0.0, ::1, std::string a::b, 12:30-13:45",
        "call about A-1234567 please, page 200-1000, ref 0123456789",
        "4111 1111 1111 1112 is not a card, DE89 3704 0044 0532 0130 01 no account",
        "def key(value: int) -> int: return value  # secret: none",
        "primary_key = 'order_id'; public_key_path = '/etc/app/keys/2026.pub'",
        "tokens: 1234567, max_tokens=4096, token_count: 128000",
        "lat 52.5200066, lon 13.4049540, 0.4111111111111111",
        "ISO 9001:2015, DIN EN 60601-1-2, article 15, RFC 7231, CVE-2026-12345",
        "Kundennummer 12345678, Rechnung 2026-0411, Vorgang 00123456",
        "numéro de facture 2026-0302, commande 87654321",
        "订单号 202611240001，版本 1.2.3，共 1234567 元",
        "pedido 20261124-0001, factura F2026/000123",
        "MAC 00:1a:2b:3c:4d:5e, port 8080, pid 123456, uid 1000001",
        "one thousand two hundred and thirty four, twenty twenty six",
        "WO-7781234567, SN 5CD1234XYZ, part 12345678Q, SKU 99887766",
        "dQw4w9WgXcQ, AAAAB3NzaC1yc2EAAAADAQABAAABgQ, data:image/png;base64,iVBORw0KGgoAAAANSUhEUg",
        "https://example.com/a?id=1234567890&page=2#section-3",
        "https://user@example.com is fine, ssh://host:22/path, http://a:b/c",
        "rows 1234567 of 12345678, 98765432 bytes, 3600000 ms",
        "2026-11-24,100234,5,19.99\n2026-11-25,100235,7,24.50\n",
        "{{name}} <name> ${PASSWORD} password=${DB_PASSWORD} token={{ token }}",
        "api_key=YOUR_API_KEY password=******** secret: <redacted>",
        "const key = await crypto.subtle.generateKey(params);",
        "the sk-learn and key-value stores; hf_hub and npm_config_cache",
        "eyJ is how it begins; ghp_ tokens are revoked; AKIA keys too",
        "IBAN checks and CPF rules are in chapter 4; see SSN-policy.md",
        "Phone support is closed 24.12.2026 - 01.01.2027",
        "sin 2 razones, no 3; el nif se pide después",
        "BSN Nederland 2026: 17,9 miljoen; PESEL w 2026",
    ),
    "held_out": (
        "Bestellung B-99812 vom 03.02.2026, Lieferschein LS-2026-004417",
        "PO 4500012345, delivery 8001234567, material 000000000010004711",
        "blob d670460b4b4aece5915caf5c68d12f560a9fe3e4 in tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        'md5 d41d8cd98f00b204e9800998ecf8427e, etag W/"33a64df551425fcc55e4d42a148795d9f25f89d4"',
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
        "started 1764000000.123, ended 1764000012.456, 20261124T050012Z",
        "ISBN-10 3161484100, GTIN 00012345600012, UPC 036000291452",
        "kernel 5.15.0-1051.59, openssl 3.0.13, chrome 131.0.6778.85",
        "revenue 12,345,678.90 USD; CHF 1'234'567.00; 2 500 000 kr",
        "secret: unknown, key: value, passwd: unchanged, token: null",
        "FedEx 794644790138, DHL 00340434161094042557",
        "mention @sam_lee, email: none, me@home, root@localhost",
        "pip install pkg==2.0.1 git+https://example.com/x.git@v2.0.1",
        "docker pull registry.example.com/app@sha256:9b2a28eb47540823042a2ba401386845089bb7b62a9637d55816132c4c3c36eb",
        "localhost:5432, 127.0.0.53, fe::x, ratio 16:9, 23:59:59",
        "serial no 0098765432, lot 20260412-77, batch 5550167",
        "4012 8888 8888 1882, GB82 WEST 1234 5698 7654 33",
        "for key, value in items: print(key, value, sep='=')",
        "foreign_key: customer_id_2, keys: [a1, b2, c3], keyboard=qwertz12",
        "usage: prompt_tokens=1834, completion_tokens=12000345",
        "at 48.8583701, 2.2944813; pi 3.14159265358979",
        "EN 50128:2011, IEC 62304, section 12.3.4.5, 5 U.S.C. 552",
        "Mandant 100, Buchungskreis 1000, Beleg 1900000123/2026",
        "dossier 2026/123456, lot 7654321, réf. 00987654",
        "工单 20261124001 已关闭，金额 12345678.00，型号 GB2312-80",
        "pedido nº 900123456, NF-e 000.123.456",
        "inode 8675309, pid=31337000, offset 0x7ffdeadbeef1, crc 3735928559",
        "seven or eight of the nine, two by two, one to four",
        "model XK-4471-88213, PN 88-7712345-6, item 7001234567",
        "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= integrity sha512-abc123DEF456ghi789==",
        "https://shop.example/p/9781234567897?variant=40123456789012",
        "ftp://mirror.example/pub/2026, https://example.com:8443/@me/posts",
        "1000000 iterations in 1234567 us, 4096x2160 px",
        "id,qty,price\n7000001,3,12.50\n7000002,1,99.00\n",
        "password={{ vault.password }} api_key=$API_KEY token=<TOKEN>",
        "API_KEY=changeme-please, secret_key: xxxxxxxxxxxxxxxx",
        "function getToken() { return sessionToken ?? refreshToken; }",
        "sk-icon, hf_transfer, npm_lifecycle_event, glpat docs, xoxo",
        "Bearer of good news, Basic understanding of tokens",
        "CPF, CNPJ e RG são documentos; o SIN é canadense",
        "Tel Aviv 2026, fax machines, phone models 3310 and 6630",
        "sin embargo 3 de 4; curp y rut no aplican",
        "Steuer-ID folgt, AHV seit 1948, SVNR unbekannt",
        "评分 4.5，排名 1024，时间 2026年11月24日12时30分",
        "0012345678 ist die Zählernummer, Zählerstand 123456,7",
    ),
}


def positives(part: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    around = AROUND[part]

    def put(kind: str, value: str, template: str) -> dict[str, Any]:
        if kind == "SECRET":
            value = f"{value[:3]}¦{value[3:]}"
        return {"text": template.format(value), "expect": [[kind, value]]}

    def spread(kind: str, values: list[str], times: int) -> Iterator[dict[str, Any]]:
        for n, value in enumerate(values):
            for step in range(times):
                yield put(kind, value, around[(n * times + step) % len(around)])

    yield from spread("EMAIL", list(EMAILS[part]), 6)
    yield from spread("PHONE", list(PHONES[part]), 4)
    for template, value in ANNOUNCED[part]:
        yield put("PHONE", value, template)
    yield from spread("IP", list(IPS[part]), 8)
    for template, value in SSNS[part]:
        yield put("SSN", value, template)
    valid: Callable[[str, str], str] = lambda module, shape: checked(rng, module, shape)  # noqa: E731
    yield from spread("IBAN", [valid("iban", shape) for shape in IBANS], 3)
    yield from spread("CARD", [valid("luhn", shape) for shape in CARDS for _ in range(2)], 4)
    yield from spread("SECRET", [drawn(rng, shape) for shape in SECRETS], 2)
    for template, shape in (*SECRETS_IN_PLACE[part], TWILIO):
        yield put("SECRET", drawn(rng, shape), template)
    for n, (name, module, shape) in enumerate(IDS):
        templates = ID_AROUND[part]
        for step in range(2):
            template = templates[(n + step) % len(templates)].replace("{name}", name)
            yield put("NATIONAL_ID", valid(module, shape), template)
    yield put("NATIONAL_ID", drawn(rng, "AB######C"), "NI number: {}")
    yield put("NATIONAL_ID", "JG 10 37 59 A", "National Insurance {}, thanks")


def negatives(part: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    for text in NEGATIVES[part]:
        yield {"text": text, "expect": []}
    around = AROUND[part]
    n = 0
    # right shape, wrong check digit, and no word that says what it was meant to be
    for _, module, shape in IDS:
        for _ in range(2):
            value = checked(rng, module, shape, valid=False)
            yield {"text": around[n % len(around)].format(value), "expect": []}
            n += 1
    for module, shapes in (("iban", IBANS), ("luhn", CARDS)):
        for shape in shapes:
            value = checked(rng, module, shape, valid=False)
            yield {"text": around[n % len(around)].format(value), "expect": []}
            n += 1
    # right by chance: order numbers of a length in which one of ten has a check digit that fits
    shapes = ("########", "#########", "##########", "###########", "############", "#############")
    words = {
        "tuned": ("order {}", "Bestellung {} ist da", "ref={} status=ok", '{{"order_id": {}}}'),
        "held_out": ("PO {}", "Auftrag {} storniert", "job={} done", '{{"item": "{}"}}'),
    }[part]
    for shape in shapes:
        for step in range(12):
            value = str(rng.randint(1, 9)) + drawn(rng, shape)[1:]
            yield {"text": words[step % len(words)].format(value), "expect": []}
    for shape in ("%" * 40, "%" * 32, "%" * 64, "%%%%%%%%-%%%%-4%%%-a%%%-%%%%%%%%%%%%"):
        for template in around:
            yield {"text": template.format(drawn(rng, shape)), "expect": []}


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for part, seed in (("tuned", 20261), ("held_out", 20262)):
        rng = random.Random(seed)
        rows = [*positives(part, rng), *negatives(part, rng)]
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (OUT / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        found = sum(bool(row["expect"]) for row in rows)
        print(f"{part}: {found} with something in them, {len(rows) - found} without")


if __name__ == "__main__":
    main()
