"""The texts and their languages were written by hand."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text.languages import detect_language, language_of

FRENCH = (
    "Le partage des communs numériques est une question politique : qui décide de leur entretien, "
    "et comment financer celles et ceux qui s’en occupent au quotidien ? L’association a réuni "
    "une centaine de personnes pour en discuter pendant deux jours, dans une ancienne usine."
)
ENGLISH = (
    "The governance of shared resources is a political question: who decides how they are kept "
    "alive, and who pays the people that look after them every day? About a hundred people met "
    "for two days in an old factory to talk about it, and the minutes are now online."
)
TEXTS = {
    "fr": FRENCH,
    "en": ENGLISH,
    "de": "Wer entscheidet über die Pflege gemeinsamer Güter, und wie werden die Menschen bezahlt, "
    "die sich jeden Tag darum kümmern? Darüber haben hundert Leute zwei Tage lang gesprochen.",
    "es": "¿Quién decide cómo se mantienen los bienes comunes, y cómo se paga a las personas que los "
    "cuidan todos los días? Cien personas se reunieron durante dos días para hablar de ello.",
    "it": "Chi decide come si mantengono i beni comuni, e come vengono pagate le persone che se ne "
    "occupano ogni giorno? Un centinaio di persone ne ha discusso per due giorni in una fabbrica.",
    "pt": "Quem decide como se mantêm os bens comuns, e como são pagas as pessoas que cuidam deles "
    "todos os dias? Uma centena de pessoas reuniu-se durante dois dias para falar sobre isso.",
    "nl": "Wie beslist over het onderhoud van gemeenschappelijke goederen, en hoe worden de mensen "
    "betaald die er elke dag voor zorgen? Honderd mensen hebben er twee dagen over gepraat.",
    "ca": "Qui decideix com es mantenen els béns comuns, i com es paga la gent que se n’ocupa cada "
    "dia? Un centenar de persones s’han trobat durant dos dies en una antiga fàbrica per parlar-ne.",
    "sv": "Vem bestämmer hur gemensamma resurser ska skötas, och hur får de som tar hand om dem varje "
    "dag betalt? Hundra personer träffades under två dagar i en gammal fabrik för att prata om det.",
    "da": "Hvem bestemmer, hvordan fælles goder skal passes, og hvordan bliver de mennesker betalt, "
    "som tager sig af dem hver dag? Hundrede mennesker mødtes i to dage på en gammel fabrik.",
    "pl": "Kto decyduje o utrzymaniu wspólnych zasobów i jak opłacać ludzi, którzy codziennie się nimi "
    "zajmują? Sto osób spotkało się na dwa dni w starej fabryce, żeby o tym porozmawiać.",
    "fi": "Kuka päättää yhteisten resurssien hoidosta, ja miten maksetaan niille, jotka pitävät niistä "
    "huolta joka päivä? Sata ihmistä kokoontui kahdeksi päiväksi vanhaan tehtaaseen.",
    "ru": "Кто решает, как содержать общие ресурсы, и как платить людям, которые каждый день о них "
    "заботятся? Сто человек встретились на два дня на старой фабрике, чтобы обсудить это.",
    "el": "Ποιος αποφασίζει πώς συντηρούνται τα κοινά αγαθά και πώς πληρώνονται οι άνθρωποι που τα "
    "φροντίζουν κάθε μέρα; Εκατό άτομα συναντήθηκαν για δύο μέρες σε ένα παλιό εργοστάσιο.",
    "he": "מי מחליט איך לתחזק את המשאבים המשותפים, ואיך לשלם לאנשים שמטפלים בהם כל יום? מאה אנשים "
    "נפגשו במשך יומיים במפעל ישן כדי לדבר על כך, והפרוטוקול מפורסם עכשיו באינטרנט.",
    "sr": "Ко одлучује како се одржавају заједничка добра и како се плаћају људи који се о њима брину "
    "сваког дана? Стотину људи састало се два дана у старој фабрици да би о томе разговарало.",
    "ja": "共有資源の維持は誰が決めるのか、そして毎日それを世話する人々にどのように報酬を支払うのか。"
    "百人ほどの人々が古い工場に二日間集まり、この問題について話し合った。",
    "zh": "谁来决定如何维护公共资源，又如何支付每天照料它们的人？一百多人在一家旧工厂里聚会了两天，"
    "讨论了这个问题，会议记录现在已经可以在网上查阅。",
}
PYTHON = """
import json
def read(path):
    with open(path) as file:
        return json.load(file)
for item in items:
    print(item.name, item.value)
    total += item.value * 2
if __name__ == "__main__":
    main(sys.argv[1:])
"""
CSS = "\n".join(f".column-{n} > a:hover {{ color: #fff; margin: {n}px auto; }}" for n in range(9))
SHELL = "$ sudo apt-get install git\n$ git clone https://a.example/x.git && cd x\n" * 4
ADDRESSES = "https://a.example/the-whole-story-of-the-commons http://www.b.example/x_y\n" * 5
HASHTAGS = "#commons #freesoftware #governance @jane@social.example #publicdomain " * 4
NUMBERS = "2026 11 20 1,5 % 3 400 € 17:30 +33 1 23 45 67 89 " * 5
LATIN = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut "
    "labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco."
)
PINYIN = (
    "Shei lai jueding ruhe weihu gonggong ziyuan, you ruhe zhifu meitian zhaoliao tamen de ren? "
    "Yibai duo ren zai yi jia jiu gongchang li juhui le liang tian, taolun le zhege wenti."
)
MIXED = f"{FRENCH}\n\n{ENGLISH}"
DIGEST = "\n".join(f"{TEXTS[code][:95]} (a)" for code in ("de", "es", "en", "it"))
TRACKS = """
01 Disidentes – No Me Importa
02 Ruts – Babylon’s Burning
03 Haava – Kaikki Poliisit
04 Noise – Brut
05 Holden – Madrid
06 Anaïs – Mon Coeur
07 Streetkidz – Give Me
08 Lokhul – Carceles
09 Kitty Hoff – Rauchen
"""


@pytest.mark.parametrize("language", TEXTS)
def test_text_counts_more_than_the_feed(language):
    other = "fr" if language == "en" else "en-US"
    assert language_of(TEXTS[language], other, None) == language
    assert language_of(TEXTS[language], None, None) == language
    assert language_of(TEXTS[language], "", None) == language


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        (FRENCH, "fr"),
        (FRENCH, "fr-FR"),
        (FRENCH, "fr-CA"),
        (FRENCH, "FR-fr"),
        (TEXTS["zh"], "zh-Hant-TW"),
        (TEXTS["pt"], "pt-BR"),
        (TEXTS["he"], "he-IL"),
    ],
)
def test_declared_region_stays(text, declared):
    assert language_of(text, declared, None) == declared


@pytest.mark.parametrize("declared", ["nb", "nn-NO", "no"])
def test_norwegian_has_three_codes(declared):
    text = (
        "Hvem bestemmer hvordan felles goder skal tas vare på, og hvordan får de som steller med dem "
        "hver dag, lønn? Hundre mennesker møttes i to dager på en gammel fabrikk for å snakke om det."
    )
    assert language_of(text, declared, None) == declared
    assert language_of(text, "en", None) == "no"


@pytest.mark.parametrize("declared", ["en", "fr", "de-AT", None])
@pytest.mark.parametrize(
    "text",
    [
        "", "   \n", "Bonjour à tous et à toutes !", FRENCH[:70], "Photo", "…", "20 %", PYTHON, CSS, SHELL,
        ADDRESSES, HASHTAGS, NUMBERS, LATIN, PINYIN, MIXED, DIGEST, TRACKS, "ah " * 300, "😀" * 300,
    ],
)  # fmt: skip
def test_text_without_a_language_follows_its_feed(text, declared):
    assert language_of(text, declared, None) == declared


@pytest.mark.parametrize("text", ["", FRENCH, ENGLISH, PYTHON])
@pytest.mark.parametrize("declared", ["en", None])
def test_setting_of_the_subscription_comes_first(text, declared):
    assert language_of(text, declared, "de") == "de"


def test_a_little_of_another_language_does_not_count():
    assert language_of(f"{FRENCH}\n{PYTHON}\n{FRENCH}", "en", None) == "fr"
    assert language_of(f"{FRENCH} {ADDRESSES}", "en", None) == "fr"
    assert language_of(f"{FRENCH} « {ENGLISH[:90]} » {FRENCH}", "en", None) == "fr"


def test_long_text_takes_no_time():
    detect_language(FRENCH)  # loads the network
    for text in (
        FRENCH * 10_000,
        "a" * 1_000_000,
        "@" * 1_000_000,
        "a.b" * 300_000,
        "\n" * 1_000_000,
    ):
        start = time.process_time()
        detect_language(text)
        assert time.process_time() - start < 0.1


@given(st.text(max_size=300))
def test_any_text_is_accepted_and_gives_the_same_each_time(text):
    assert detect_language(text) == detect_language(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("TikTok在美国的业务将出售给本地财团。" * 3 + "双方周一宣布了这项协议，交易预计明年完成。", "zh"),
        ("OpenAI 发布新模型\n" + "该公司周一表示，新的模型将在下个月向所有用户开放，价格保持不变，开发者可以提前试用。", "zh"),
        ("Apple、新型端末を発表\n" + "同社は月曜日、新しい端末を来月から世界各地で販売すると発表した。価格は据え置かれる見通しだ。", "ja"),
        ("SK하이닉스 실적 발표\n" + "회사는 월요일에 지난 분기의 실적을 발표했으며 매출이 크게 늘어났다고 밝혔다. 주가는 올랐다.", "ko"),
        ("iPhone\n" + "Η εταιρεία ανακοίνωσε τη Δευτέρα ότι το νέο μοντέλο θα είναι διαθέσιμο τον επόμενο μήνα.", "el"),
    ],
)  # fmt: skip
def test_latin_names_in_another_script(text, language):
    assert language_of(text, "en", None) == language
