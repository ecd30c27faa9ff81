"""The expected values were written by hand, as a reader of the text understands it."""

import os
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text.date_names import zone_of
from aggregator.text.dates import read_date

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
# In UTC: the texts that say it, with the language of the feed where that decides.
# fmt: off
RFC_5322 = {
    "2026-11-20 09:00": [
        "Fri, 20 Nov 2026 10:00:00 +0100", "Fri, 20 Nov 2026 10:00 +0100",
        "Fri, 20 Nov 2026 10:00:00 0100", "Fri, 20 Nov 2026 10:00:00 +01:00",
        "Fri, 20 Nov 2026 10:00:00 +1:00", "Fri, 20 Nov 2026 10:00:00 +01",
        "Fri, 20 Nov 2026 10:00:00 +1", "Fri, 20 Nov 2026 10:00:00 +100",
        "Fri, 20 Nov 2026 10:00:00 + 0100", "Fri, 20 Nov 2026 10:00:00+0100",
        "Fri, 20 Nov 2026 10:00:00 +0100 (CET)", "Fri, 20 Nov 2026 10:00:00 (CET)",
        "Fri, 20 Nov 2026 10:00:00.000 +0100", "20/Nov/2026:10:00:00 +0100",
        "Fri, 20 Nov 2026 1000 +0100",
    ],
    "2026-11-20 10:00": [
        "Fri, 20 Nov 2026 10:00:00 GMT", "Fri, 20 Nov 2026 10:00:00 UT",
        "Fri, 20 Nov 2026 10:00:00 UTC", "Fri, 20 Nov 2026 10:00:00 Z", "20 Nov 2026 10:00:00 GMT",
        "Fri, 20 Nov 2026 10:00", "Fri, 20 Nov 26 10:00:00 GMT", "Mon, 20 Nov 2026 10:00:00 GMT",
        "Fri,20 Nov 2026 10:00:00 GMT", "Fri 20 Nov 2026 10:00:00 GMT",
        "Friday, 20 November 2026 10:00:00 GMT", "Friday, 20-Nov-26 10:00:00 GMT",
        "Fri, 20-Nov-2026 10:00:00 GMT", "fri, 20 nov 2026 10:00:00 gmt",
        "FRI, 20 NOV 2026 10:00:00 GMT", "Fry, 20 Nov 2026 10:00:00 GMT",
        "Fri, 20th Nov 2026 10:00:00 GMT", "Fri, 20 Nov 2026 10:00:00 0000",
        "Fri, 20 Nov 2026 10:00:00GMT", "Fri, 20 Nov 2026 10:00:00 -0000",
        "Fri, 20 Nov 2026 10:00:00,123 GMT", "Fri, 20 Nov 2026 10h00 GMT",
        "Fri, 20 Nov 2026 10.00.00 GMT", "Fri, 20 Nov 2026, 10:00:00 GMT",
        "Fri, 20 Nov, 2026 10:00:00 GMT", "Fri, 20 Nov 2026 at 10:00:00 GMT",
        "Fri, 20 Nov 2026 - 10:00", "Fri, Nov 20 2026 10:00:00 GMT",
        "Fri, Nov 20, 2026 10:00:00 GMT", "Fri, 20. Nov 2026 10:00:00 GMT",
        "Fri, 20 Nov. 2026 10:00:00 GMT", "Fri, 20/Nov/2026 10:00:00 GMT",
        "Fri, 20 Nov 2026 10:00:00 Etc/GMT", "  Fri,\n\t20 Nov 2026\r\n 10:00:00 GMT  ",
    ],
    "2026-11-20 00:00": [
        "Fri, 20 Nov 2026", "20 Nov 2026", "20 Nov 26", "20-Nov-2026", "20Nov2026",
        "Fri, 20 Nov 2026 00:00:00",
    ],
    "1998-09-05 08:15": [
        "Sat, 05 Sep 98 08:15:00 GMT",
    ],
    "2026-09-02 01:02:03": [
        "Wed, 2 Sep 2026 1:02:03 GMT", "Wed,  2 Sep 2026 01:02:03 GMT",
    ],
    "2026-11-19 10:00": [
        "Thur, 19 Nov 2026 10:00:00 GMT",
    ],
    "2026-11-17 10:00": [
        "Tues, 17 Nov 2026 10:00:00 GMT",
    ],
    "2026-11-18 10:00": [
        "Wedn, 18 Nov 2026 10:00:00 GMT",
    ],
    "2026-09-18 10:00": [
        "Fri, 18 Sept 2026 10:00:00 GMT",
    ],
    "2026-08-01 10:00": [
        "Sat, 1st Aug 2026 10:00:00 GMT",
    ],
    "2026-11-20 13:30": [
        "Fri, 20 Nov 2026 10:00:00 -0330",
    ],
    "2026-11-20 15:00": [
        "Fri, 20 Nov 2026 10:00:00 \u22120500", 'Fri, 20 Nov 2026 10:00:00 -0500"',
        '"Fri, 20 Nov 2026 10:00:00 -0500"',
    ],
    "2026-11-21 00:00": [
        "Fri, 20 Nov 2026 24:00:00 GMT",
    ],
    "2026-11-20 23:59:59": [
        "Fri, 20 Nov 2026 23:59:60 GMT",
    ],
    "2002-04-03 15:00": [
        "03 Apr 02 1500 GMT",
    ],
    "2026-12-01 12:00": [
        "Fri, 1 Dec 2026 20:00:00 GMT",
    ],
}
ASCTIME = {
    "2026-11-20 10:00": [
        "Fri Nov 20 10:00:00 2026", "Fri Nov 20 10:00:00 UTC 2026",
    ],
    "2026-11-20 09:00": [
        "Fri Nov 20 10:00:00 CET 2026", "Fri Nov 20 10:00:00 +0100 2026",
        "Fri Nov 20 10:00:00 GMT+01:00 2026",
        "Fri Nov 20 2026 10:00:00 GMT+0100 (Central European Standard Time)",
        "Fri Nov 20 2026 10:00:00 GMT+0100 (heure normale d’Europe centrale)",
        "ven. nov. 20 10:00:00 CET 2026",
    ],
    "2026-11-01 10:00": [
        "Sun Nov  1 10:00:00 2026",
    ],
    "2026-11-20 00:00": [
        "Fri Nov 20 2026",
    ],
}
ISO_8601 = {
    "2026-11-20 09:00": [
        "2026-11-20T10:00:00+01:00", "2026-11-20T10:00+01:00",
        "2026-11-20T10:00:00.123456789+01:00", "2026-11-20T10:00:00+0100",
        "2026-11-20T10:00:00+01", "2026-11-20T10:00:00+1:00", "2026-11-20T10:00:00 +01:00",
        "2026-11-20T10:00:00 01:00", "2026-11-20 10:00:00 CET", "2026-11-20T10:00:00 UTC+1",
        "2026-11-20 10:00:00 +0100", "2026-11-20 10:00:00 +0100 CET", "20261120T100000+0100",
        "2026-11-20T10:00:00+01:00[Europe/Paris]", "2026-11-20T10:00[Europe/Paris]",
        "2026-11-20 10:00:00 Europe/Paris", "2026-11-20T10:00:00 Europe/Paris",
    ],
    "2026-11-20 10:00": [
        "2026-11-20T10:00:00Z", "2026-11-20T10:00:00", "2026-11-20t10:00:00z", "2026-11-20T10:00Z",
        "2026-11-20T10Z", "2026-11-20T10:00:00.123Z", "2026-11-20T10:00:00,123Z",
        "2026-11-20T10:00:00 Z", "2026-11-20 10:00:00 UTC", "2026-11-20 10:00:00 GMT",
        "2026-11-20T10:00:00UTC", "2026-11-20 10:00:00 +0000 UTC", "2026-11-20 10:00:00",
        "2026-11-20 10:00", "20261120T100000Z", "20261120T1000Z", "20261120100000", "202611201000",
        "2026W475T100000Z", "2026-W47-5T10:00:00Z", "2026-324T10:00:00Z",
        "2026-11-20T10:00:00-00:00", "2026-11-20T10:00:0Z", "2026-11-20T10:00:00+00:0",
        "2026-11-20T10:00:00.Z", "2026-11-20T10:00:00+00:00Z", "2026-11-20 at 10:00",
        "2026-11-20, 10:00", "2026-11-20 | 10:00", "2026-11-20_10:00:00", "2026-11-20--10:00:00",
        "2026-11-20 10:00:00 AM", "2026-11-20 (Fri) 10:00:00",
    ],
    "2026-11-20 00:00": [
        "2026-11-20", "2026-11-20Z", "20261120", "2026-W47-5", "2026-324", "2026324",
    ],
    "2026-11-19 23:00": [
        "2026-11-20+01:00",
    ],
    "2026-11-01 00:00": [
        "2026-11",
    ],
    "2026-01-01 00:00": [
        "2026",
    ],
    "2026-11-21 00:00": [
        "2026-11-20T24:00:00Z",
    ],
    "2026-11-20 23:00": [
        "2026-11-20T24:00:00+01:00",
    ],
    "2026-11-20 23:59:59": [
        "2026-11-20T23:59:60Z",
    ],
    "2026-11-20 09:05:07": [
        "2026-11-20T9:05:07Z",
    ],
    "2026-11-02 10:00": [
        "2026-11-2T10:00:00Z",
    ],
    "2026-07-07 00:00": [
        "2026-7-7",
    ],
    "2026-07-07 08:00": [
        "2026-07-07 10:00:00 Europe/Paris",
    ],
    "2026-11-20 13:00": [
        "2026-11-20 10:00:00 America/Argentina/Buenos_Aires",
    ],
    "2026-11-20 15:00": [
        "2026-11-20T10:00:00-05:00Z",
    ],
    "2026-11-20 13:55": [
        "2026-11-20 01:55:00 PM",
    ],
}
FRENCH = {
    "2026-11-20 09:00": [
        ("ven., 20 nov. 2026 10:00:00 +0100", "fr"), "ven., 20 nov. 2026 10:00:00 +0100",
        "ven. 20 nov. 2026 10:00:00 +0100", "ven, 20 nov 2026 10:00:00 +0100",
        "Vendredi, 20 Novembre 2026 10:00:00 +0100", "20 nov. 2026, 10:00:00 UTC+1",
    ],
    "2026-11-20 00:00": [
        "VENDREDI 20 NOVEMBRE 2026", "20 novembre 2026", ("Le vendredi 20 novembre 2026", "fr"),
    ],
    "2026-07-07 08:00": [
        "mar., 07 juil. 2026 10:00:00 +0200", ("mar 07 juil 2026 10:00:00 +0200", "fr"),
    ],
    "2026-07-07 00:00": [
        "mardi 7 juillet 2026",
    ],
    "2026-03-10 09:00": [
        "mar., 10 mars 2026 10:00:00 +0100",
    ],
    "2026-11-16 15:54": [
        "Lundi, 16. Novembre 2026 - 15:54",
    ],
    "2026-11-20 10:30": [
        "20 novembre 2026 à 10h30", "20 novembre 2026 à 10 h 30",
        "20\xa0novembre\xa02026 \xe0 10\u202fh\u202f30", ("20/11/2026 à 10h30", "fr"), "20 novembre 2026 à 10 heures 30",
    ],
    "2026-11-20 10:00": [
        "20 novembre 2026 à 10h", "le 20 novembre 2026 à 10:00",
    ],
    "2026-05-01 00:00": [
        "1er mai 2026", "vendredi 1er mai 2026",
    ],
    "2026-02-20 10:30": [
        "20 févr. 2026 à 10h30",
    ],
    "2026-02-20 10:00": [
        "20 fevr. 2026 10:00", "20 fév 2026 10:00",
    ],
    "2026-02-20 00:00": [
        "20 FÉVRIER 2026", "20 fèvrier 2026",
    ],
    "2026-08-20 00:00": [
        "20 aout 2026", "20 aoû 2026",
    ],
    "2026-08-20 10:00": [
        "jeu., 20 août 2026 10:00:00 GMT",
    ],
    "2025-12-20 00:00": [
        "20 déc. 2025",
    ],
    "2026-01-04 10:00": [
        ("dim. 4 janv. 2026 10:00", "fr"), ("04 janvier 2026, 10:00", "fr"),
    ],
    "2022-06-01 08:00": [
        "mer., 1 juin 2022 10:00:00 +0200",
    ],
    "2026-04-11 10:00": [
        "sam., 11 avr. 2026 10:00:00 +0000",
    ],
}
OTHER_LANGUAGES = {
    "2026-11-20 09:00": [
        ("Fr, 20 Nov 2026 10:00:00 +0100", "de"), "20. November 2026, 10:00 Uhr MEZ",
        ("vie, 20 nov 2026 10:00:00 +0100", "es"), ("vr, 20 nov 2026 10:00:00 +0100", "nl"),
        ("dv., 20 nov. 2026 10:00:00 +0100", "ca"), ("fre, 20 nov 2026 10:00:00 +0100", "sv"),
        ("pt, 20 lis 2026 10:00:00 +0100", "pl"), ("pá, 20 lis 2026 10:00:00 +0100", "cs"),
    ],
    "2026-11-20 10:00": [
        ("Fr., 20. Nov. 2026 10:00 Uhr", "de"),
        ("Freitag, den 20. November 2026 um 10:00 Uhr", "de"), ("20.11.2026 10:00 Uhr", "de"),
        "viernes 20 de noviembre del 2026 10:00", ("20 de noviembre de 2026 a las 10:00", "es"),
        ("venerdì 20 novembre 2026 alle 10:00", "it"),
        ("venerdi 20 novembre 2026 ore 10:00", "it"), ("20 de novembro de 2026 às 10h00", "pt"),
        ("vrijdag 20 november 2026 om 10:00 uur", "nl"),
        ("fredag 20 november 2026 kl. 10:00", "sv"), ("20 ноября 2026 г., 10:00", "ru"),
        ("2026. november 20., péntek 10:00", "hu"), ("2026年11月20日 10:00:00", "ja"),
        ("2026年11月20日 星期五 10:00", "zh"),
    ],
    "2026-11-20 00:00": [
        "Freitag, 20. November 2026", "viernes, 20 de noviembre de 2026",
        "sexta-feira, 20 de novembro de 2026", "vrijdag 20 november 2026",
        ("divendres, 20 de novembre de 2026", "ca"), ("den 20 november 2026", "sv"),
        ("piątek, 20 listopada 2026", "pl"), "2026年11月20日", ("2026년 11월 20일", "ko"),
    ],
    "2026-10-12 10:00": [
        "Mo, 12 Okt 2026 10:00:00 GMT",
    ],
    "2026-03-05 09:00": [
        "Do, 5 März 2026 10:00:00 +0100", "Do, 5 Mrz 2026 10:00:00 +0100",
        "Do, 5 Maerz 2026 10:00:00 +0100", "do, 5 mrt 2026 10:00:00 +0100",
    ],
    "2025-12-22 17:36": [
        "Di, 22 Dez 2025 17:36:00 +0000",
    ],
    "2026-01-03 00:00": [
        ("Sa, 3. Jänner 2026", "de"),
    ],
    "2026-05-20 08:00": [
        "Mi, 20 Mai 2026 10:00:00 MESZ",
    ],
    "2026-11-20 10:30": [
        ("20.11.2026, 10.30 Uhr", "de"), ("fredag den 20. november 2026 kl. 10.30", "da"),
    ],
    "2026-01-07 10:00": [
        "mié, 7 ene 2026 10:00:00 GMT",
    ],
    "2026-04-07 10:00": [
        ("mar, 7 abr 2026 10:00:00 GMT", "es"),
    ],
    "2026-08-01 10:00": [
        "Sáb, 1 Ago 2026 10:00:00 GMT",
    ],
    "2025-12-02 10:00": [
        "dom 2 dic 2025 10:00",
    ],
    "2026-11-17 23:38:15": [
        ("mer, 18 nov 2026 00:38:15 +0100", "it"),
    ],
    "2026-10-01 08:00": [
        "gio, 1 ott 2026 10:00:00 +0200",
    ],
    "2026-07-06 08:00": [
        "lun, 6 lug 2026 10:00:00 +0200",
    ],
    "2026-05-10 10:00": [
        "Dom, 10 Mag 2026 10:00:00 GMT",
    ],
    "2026-01-01 00:00": [
        "1º gennaio 2026",
    ],
    "2018-09-24 22:42:40": [
        "Seg, 24 Set 2018 19:42:40 -0300",
    ],
    "2026-11-20 13:00": [
        "Sex, 20 Nov 2026 10:00:00 -0300",
    ],
    "2026-10-01 13:00": [
        "Qui, 1 Out 2026 10:00:00 -0300",
    ],
    "2026-02-10 13:00": [
        ("Ter, 10 Fev 2026 10:00:00 -0300", "pt-BR"),
    ],
    "2026-03-03 10:00": [
        ("Terça-feira, 3 de março de 2026 10:00", "pt"),
    ],
    "2026-05-20 10:00": [
        "wo, 20 mei 2026 10:00",
    ],
    "2026-08-03 00:00": [
        "ma 3 augustus 2026",
    ],
    "2026-01-20 00:00": [
        "20 de gener de 2026",
    ],
    "2026-04-20 00:00": [
        ("20 d'abril de 2026", "ca"),
    ],
    "2026-10-20 00:00": [
        "20 d’octubre del 2026",
    ],
    "2026-05-20 00:49": [
        "Ons, 20 Maj 2026 01:49:00 +0100",
    ],
    "2026-10-20 08:00": [
        ("tirs., 20 okt. 2026 10:00:00 +0200", "da"),
    ],
    "2026-11-20 07:00": [
        "Пт, 20 ноя 2026 10:00:00 +0300", ("Cum, 20 Kas 2026 10:00:00 +0300", "tr"),
    ],
    "2004-07-11 17:00": [
        "Κυρ, 11 Ιούλ 2004 12:00:00 EST",
    ],
    "2004-07-13 14:15": [
        "2004-július-13T9:15-05:00",
    ],
    "2025-12-20 00:00": [
        ("20 Aralık 2025", "tr"),
    ],
    "2026-11-20 08:00": [
        ("pe, 20 marras 2026 10:00:00 +0200", "fi"), ("vin., 20 nov. 2026 10:00:00 +0200", "ro"),
    ],
}
ZONES = {
    "2026-11-20 09:00": [
        "Fri, 20 Nov 2026 10:00:00 CET", "Fri, 20 Nov 2026 10:00:00 MEZ",
        "Fri, 20 Nov 2026 10:00:00 MET", "Fri, 20 Nov 2026 10:00:00 BST",
        "Fri, 20 Nov 2026 10:00:00 WEST", "Fri, 20 Nov 2026 10:00:00 WAT",
        "Fri, 20 Nov 2026 10:00:00 GMT+1", "Fri, 20 Nov 2026 10:00:00 GMT+01",
        "Fri, 20 Nov 2026 10:00:00 GMT+0100", "Fri, 20 Nov 2026 10:00:00 GMT+01:00",
        "Fri, 20 Nov 2026 10:00:00 Europe/Paris", "Fri, 20 Nov 2026 10:00:00 (Europe/Paris)",
        "Fri, 20 Nov 2026 10:00:00 europe/paris", "Fri, 20 Nov 2026 10:00:00 cet",
        "Fri, 20 Nov 2026 10:00:00 Cet",
    ],
    "2026-11-20 08:00": [
        "Fri, 20 Nov 2026 10:00:00 CEST", "Fri, 20 Nov 2026 10:00:00 MESZ",
        "Fri, 20 Nov 2026 10:00:00 EET", "Fri, 20 Nov 2026 10:00:00 SAST",
        "Fri, 20 Nov 2026 10:00:00 CAT", "Fri, 20 Nov 2026 10:00:00 UTC+2",
        "Fri, 20 Nov 2026 10:00:00 UTC +2", "Fri, 20 Nov 2026 10:00:00 UTC+02:00",
    ],
    "2026-11-20 07:00": [
        "Fri, 20 Nov 2026 10:00:00 EEST", "Fri, 20 Nov 2026 10:00:00 MSK",
        "Fri, 20 Nov 2026 10:00:00 EAT",
    ],
    "2026-11-20 01:00": [
        "Fri, 20 Nov 2026 10:00:00 JST", "Fri, 20 Nov 2026 10:00:00 KST",
        "Fri, 20 Nov 2026 10:00:00 Asia/Tokyo",
    ],
    "2026-11-20 02:00": [
        "Fri, 20 Nov 2026 10:00:00 HKT", "Fri, 20 Nov 2026 10:00:00 SGT",
        "Fri, 20 Nov 2026 10:00:00 AWST",
    ],
    "2026-11-20 04:30": [
        "Fri, 20 Nov 2026 10:00:00 IST", "Fri, 20 Nov 2026 10:00:00 +0530",
        "Fri, 20 Nov 2026 10:00:00 +05:30",
    ],
    "2026-11-20 05:00": [
        "Fri, 20 Nov 2026 10:00:00 PKT",
    ],
    "2026-11-20 03:00": [
        "Fri, 20 Nov 2026 10:00:00 WIB",
    ],
    "2026-11-20 00:00": [
        "Fri, 20 Nov 2026 10:00:00 AEST",
    ],
    "2026-11-19 23:00": [
        "Fri, 20 Nov 2026 10:00:00 AEDT",
    ],
    "2026-11-20 00:30": [
        "Fri, 20 Nov 2026 10:00:00 ACST",
    ],
    "2026-11-19 22:00": [
        "Fri, 20 Nov 2026 10:00:00 NZST",
    ],
    "2026-11-19 21:00": [
        "Fri, 20 Nov 2026 10:00:00 NZDT", "Fri, 20 Nov 2026 10:00:00 +13:00",
    ],
    "2026-11-20 10:00": [
        "Fri, 20 Nov 2026 10:00:00 WET", "Fri, 20 Nov 2026 10:00:00 (GMT)",
        "Fri, 20 Nov 2026 10:00:00 XYZ",
    ],
    "2026-11-20 15:00": [
        "Fri, 20 Nov 2026 10:00:00 EST", "Fri, 20 Nov 2026 10:00:00 CDT",
        "Fri, 20 Nov 2026 10:00:00 GMT-5", "Fri, 20 Nov 2026 10:00:00 America/New_York",
        "Fri, 20 Nov 2026 10:00:00 EST5EDT", "Fri, 20 Nov 2026 10:00:00 ET",
    ],
    "2026-11-20 14:00": [
        "Fri, 20 Nov 2026 10:00:00 EDT", "Fri, 20 Nov 2026 10:00:00 AST",
    ],
    "2026-11-20 16:00": [
        "Fri, 20 Nov 2026 10:00:00 CST", "Fri, 20 Nov 2026 10:00:00 MDT",
    ],
    "2026-11-20 17:00": [
        "Fri, 20 Nov 2026 10:00:00 MST", "Fri, 20 Nov 2026 10:00:00 PDT",
    ],
    "2026-11-20 18:00": [
        "Fri, 20 Nov 2026 10:00:00 PST", "Fri, 20 Nov 2026 10:00:00 -08",
        "Fri, 20 Nov 2026 10:00:00 PT",
    ],
    "2026-11-20 19:00": [
        "Fri, 20 Nov 2026 10:00:00 AKST",
    ],
    "2026-11-20 20:00": [
        "Fri, 20 Nov 2026 10:00:00 HST",
    ],
    "2026-11-20 13:00": [
        "Fri, 20 Nov 2026 10:00:00 ADT", "Fri, 20 Nov 2026 10:00:00 BRT",
        "Fri, 20 Nov 2026 10:00:00 ART",
    ],
    "2026-11-20 13:30": [
        "Fri, 20 Nov 2026 10:00:00 NST",
    ],
    "2026-07-10 09:00": [
        "Fri, 10 Jul 2026 10:00:00 CET", "Fri, 10 Jul 2026 10:00:00 BST",
    ],
    "2026-07-10 08:00": [
        "Fri, 10 Jul 2026 10:00:00 Europe/Paris",
    ],
    "2026-07-10 15:00": [
        "Fri, 10 Jul 2026 10:00:00 EST",
    ],
    "2026-07-10 14:00": [
        "Fri, 10 Jul 2026 10:00:00 ET",
    ],
}
NUMBERS = {
    "2026-11-20 10:00": [
        "2026/11/20 10:00:00", ("2026.11.20 10:00", "de"), "20.11.2026 10:00",
        "20.11.2026 10:00:00", "20/11/2026 10:00", "20/11/2026 - 10:00", "20-11-2026 10:00:00",
        "11/20/2026 10:00:00 AM",
    ],
    "2026-11-20 00:00": [
        "2026/11/20", "2026.11.20", "20.11.2026", ("20.11.26", "de"), ("20. 11. 2026", "cs"),
        "20/11/2026", "20-11-2026", "11/20/2026", "11-20-2026", "11/20/26", ("20/11/26", "fr"),
        ("20/11/2026", "en-US"), ("11/20/2026", "fr"),
    ],
    "2026-01-10 14:33": [
        "2026/1/10 14:33:00",
    ],
    "2026-02-01 00:00": [
        "1.2.2026",
    ],
    "2026-11-20 13:55": [
        "11/20/2026 1:55 PM",
    ],
    "2026-11-20 00:05": [
        "11/20/2026 12:05:00 AM",
    ],
    "2026-11-20 12:05": [
        "11/20/2026 12:05:00 PM",
    ],
    "2026-03-04 00:00": [
        ("03/04/2026", "en-US"), ("03/04/2026", "en"),
    ],
    "2026-04-03 00:00": [
        ("03/04/2026", "en-GB"), ("03/04/2026", "fr"), ("03/04/2026", "fr-FR"),
        ("03/04/2026", "de"),
    ],
    "2026-05-05 00:00": [
        "05/05/2026",
    ],
    "2026-03-12 00:00": [
        "03/12/2026",
    ],
}
ENGLISH = {
    "2026-11-20 00:00": [
        "November 20, 2026", "November 20 2026", "Nov 20, 2026", "Nov. 20, 2026",
        "November 20th, 2026", "20th November 2026", "20th of November 2026",
        "Friday, November 20, 2026", "2026 Nov 20", "2026-Nov-20", "2026, November 20",
    ],
    "2026-11-20 13:55": [
        "Friday, November 20, 2026 1:55 PM", "Fri, 20 Nov 2026 01:55:00 PM",
        "Fri, 20 Nov 2026 13:55 PM",
    ],
    "2026-11-20 18:55": [
        "Friday, November 20, 2026 at 1:55 PM EST", "Fri, 20 Nov 2026 1:55 PM EST",
    ],
    "2026-11-20 19:19": [
        "Fri, 20 Nov 2026 8:19 pm CET", "Fri, 20 Nov 2026 8:19pm CET",
        "Fri, 20 Nov 2026 8:19 p.m. CET",
    ],
    "2026-11-20 10:00": [
        "Nov 20, 2026, 10:00:00\u202fAM", "Nov 20, 2026 10 AM", "Nov 20, 2026 10am",
        "November 20, 2026 10:00 a.m.", "10:00, 20 November 2026", "10:00 AM, November 20, 2026",
        "10:00 GMT, Friday, 20 November 2026",
    ],
    "2026-05-01 00:00": [
        "May 1, 2026",
    ],
    "2026-03-01 00:00": [
        "Sunday, March 1st, 2026",
    ],
}
NUMBERS_WITHOUT_SEPARATORS = {
    "2026-11-20 10:00": [
        "1795168800", "1795168800.5", "1795168800000", "1795168800000000", "@1795168800",
        "/Date(1795168800000)/", "/Date(1795168800000+0100)/",
    ],
    "2000-01-01 00:00": [
        "946684800", "946684800000",
    ],
}
WRAPPED = {
    "2026-11-20 09:00": [
        '<time datetime="2026-11-20T10:00:00+01:00">20 novembre 2026</time>',
        '<time datetime=\'2026-11-20T09:00:00Z\' class="datetime">Ven 20/11/2026 - 10:00</time>\n',
        "&lt;time datetime=&quot;2026-11-20T10:00:00+01:00&quot;&gt;Fri, 11/20/2026 - 10:00&lt;/time&gt;",
        '<span property="dc:date dc:created" content="2026-11-20T10:00:00+01:00" datatype="xsd:dateTime" class="date-display-single">Friday, November 20, 2026 - 10:00</span>',
        "<div><time>Fri, 20 Nov 2026 10:00:00 +0100</time></div>",
        "Fri,&#160;20 Nov 2026 10:00:00 &#43;0100",
    ],
    "2026-11-20 10:00": [
        '<span class="date-display-single">Friday, November 20, 2026 - 10:00</span>',
        "Fri,&nbsp;20&nbsp;Nov&nbsp;2026 10:00:00 GMT",
        "Fri,\xa020\xa0Nov\xa02026 10:00:00\xa0GMT", "\u200e11/20/2026\u200e 10:00 AM",
        "\ufeff2026-11-20T10:00:00Z",
    ],
    "2026-11-20 00:00": [
        ("<span>20 novembre 2026</span>", "fr"), "２０２６-１１-２０", "２０２６年１１月２０日",
        "2026\u201011\u201020", "2026\u201311\u201320",
    ],
    "2026-02-20 00:00": [
        "20 f&eacute;vrier 2026",
    ],
}
MORE = {
    "2026-11-20 10:00": [
        "2026-11-20T10:00:00.000+0000", "20261120T10:00:00Z", "2026-11-20T100000Z",
        "Fri, 20 Nov 2026 10:00:00 A", "20 Nov 2026 | 10:00 AM", "Vie, 20/11/2026 - 10:00",
        "Fri, 11/20/2026 - 10:00", "2026-11-20 10:00:00.0", ("Thứ Sáu, 20/11/2026 - 10:00", "vi"),
        "vrijdag 20 november 2026 - 10:00", "Nov 20 2026 10:00AM",
        "Friday 20th November 2026 10:00", "2026-11-20T10:00:00.000000000000000Z",
        ("10:00 Uhr - 20.11.2026", "de"),
    ],
    "2026-11-20 15:00": [
        "Fri, 20 Nov 2026 10:00:00 -05:00 EST", "Fri, 20 Nov 2026 10 AM EST",
        "Fri, 20 Nov 2026 10:00:00 EST-0500",
    ],
    "2026-11-20 00:00": [
        "11.20.2026", "20 Nov '26", ("2026. 11. 20.", "hu"), ("20 نوفمبر 2026", "ar"),
        "Fri. Nov. 20, 2026", "Friday the 20th of November 2026", "2026, 20 novembre",
        ("pt., 20 lis 2026", "pl"), "20 Nov 2026 GMT", "20 Nov 2026 (updated 21 Nov 2026)",
        "20 Nov 2026.", "noon, 20 Nov 2026",
        "                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    2026-11-20",
    ],
    "2026-11-20 09:00": [
        "20-NOV-26 10.00.00.000000 AM +01:00", "Fri, 20 Nov 2026 10:00:00 GMT+1:00",
        "Fri, 20 Nov 2026 10:00:00 UTC+0100", "Fri, 20 Nov 2026 10:00:00 +0100 (UTC+01:00)",
        "Fri, 20 Nov 2026 10:00:00 +0100,", "2026-11-20T10:00:00 CET+01:00",
    ],
    "2026-11-20 13:55": [
        "20-NOV-26 01.55.00.000000 PM", ("2026年11月20日 下午1:55", "zh"),
    ],
    "2026-11-20 18:00": [
        "2026-11-20T10:00:00PST",
    ],
    "2026-11-20 05:30": [
        "Nov. 20, 2026 at 12:30 a.m. ET",
    ],
    "2004-05-25 23:23:17": [
        "2004-05-25 오후 11:23:17",
    ],
    "2004-05-28 01:31:15": [
        "2004년 05월 28일  01:31:15",
    ],
    "2026-11-20 10:30": [
        "2026年11月20日10時30分", "20 NOVEMBRE 2026 À 10H30",
    ],
    "2026-11-20 14:00": [
        "2026-11-20T10:00:00 America/Port_of_Spain",
    ],
    "2026-11-21 00:00": [
        ("sábado, 21 de noviembre de 2026", "es"),
    ],
    "2026-02-01 00:00": [
        "domingo, 1 de fevereiro de 2026",
    ],
    "2026-11-21 09:00": [
        ("lör, 21 nov 2026 10:00:00 +0100", "sv"),
    ],
    "2026-11-22 00:00": [
        ("søndag 22. november 2026", "nb"),
    ],
    "2026-11-17 09:00": [
        ("dt., 17 nov. 2026 10:00:00 +0100", "ca"),
    ],
    "2026-03-16 00:00": [
        "dl. 16 de març de 2026",
    ],
    "2025-12-13 10:00": [
        "13 Décembre 2025 10:00:00",
    ],
    "2025-12-13 00:00": [
        "13 Decembre, 2025",
    ],
    "2026-07-14 00:00": [
        ("juil. 14, 2026", "fr"),
    ],
    "2026-07-01 08:00": [
        "mercredi 1er juillet 2026 à 8 h",
    ],
    "2026-03-10 07:00": [
        "10 mar 2026 08:00:00 +0100", ("mar 10 mar 2026 08:00:00 +0100", "es"),
    ],
    "2026-03-17 00:00": [
        ("mar. 17 mar 2026", "it"),
    ],
    "2026-03-02 00:00": [
        ("lun 2 mar 2026", "it"),
    ],
    "2026-03-10 00:00": [
        "Mar 10 2026", ("mar. 10 2026", "fr"),
    ],
    "2026-11-19 23:00": [
        "20 Nov 2026 CET",
    ],
    "2026-11-20 22:00": [
        "20 Nov 2026 10:00 pm",
    ],
    "2026-11-19 10:00": [
        ("čet., 19. nov. 2026 10:00", "sl"),
    ],
}
NOTHING = [
    "2026-11-20T10:00:00+25:00",
    ("vendredi 20 novembre 2026 10:00:00 heure normale d’Europe centrale", "fr"),
    ("20 jui 2026", "fr"), "Fri, 20 Nov 2026 10:00:00 Mars/Phobos",
    "Fri, 20 Nov 2026 10:00:00 +2500", "Fri, 20 Nov 2026 10:00:00 +0175", "03/04/2026",
    ("03/12/2026", "fr"), "01/02/03", "2026-13-45", "32/11/2026", ("31/02/2026", "fr"),
    "2026/20/11", "0", "-1", "-62135596800", "99999999999", "123", "", "   ", "N/A", "null",
    "None", "undefined", "TBD", "soon", "yesterday", "today", "now", "2 days ago",
    "il y a 3 jours", "Invalid Date", "Invalid date", "NaN", "0000-00-00", "0000-00-00 00:00:00",
    "0000-00-00T00:00:00Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
    "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 +0000",
    "Mon, 30 Nov -0001 00:00:00 +0000", "Wed, 30 Nov -001 00:00:00 +0000", "2030-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT", "20 November", "Nov 20",
    "Fri, 20 Nov", "20/11", "11-20", "--11-20", "10:00", "10:00:00", "10:00 AM", "Friday",
    "vendredi", "November", "November 2026", "novembre 2026", "Fri", "20 Foo 2026", "32 Nov 2026",
    "31 Nov 2026", "30 Feb 2026", "Fri, 20 Nov 2026 25:00:00 GMT", "Fri, 20 Nov 2026 10:61:00 GMT",
    "2026-11-20T25:00:00Z", "2026-00-20", "2026-11-00", "2026-11-31", "version 2.11.2026 beta",
    "1.2.3", "1.2.3.4", "20 Nov 2026 20 Nov 2025", "2026-11-20 2025-11-20", "20 21 22",
    "Season 2 Episode 11 2026", "http://example.org/2026/11/20/", "12",
    "lorem ipsum dolor sit amet", "<time></time>", "%a, %d %b %Y %H:%M:%S %z", "{{ date }}",
    "<?=strftime('%a')?>", "Date: ", "-", "Fri, Nov 2026 10:00:00 GMT", "11-0702007",
    "Article 20 published 2026", "Copyright 2026", "20 Nov 12026", "Nov 20 Dec 2026",
    "2026-11-20T10:00:00Z, 2026-11-19T10:00:00Z", "Nov 20 2026 10:00:00:000AM",
    "20 Nov 2026 10:00:00 Pacific Standard Time", "Pt, 20 lis 2026",
    "Fri, 20 Nov 2026 10:00:00 Europe/Pariss", "Fri, 20 Nov 2026 10:00:00 ../../etc/passwd",
]
# fmt: on


def cases(table):
    for expected, texts in table.items():
        at = datetime.fromisoformat(expected).replace(tzinfo=UTC)
        yield from ((*((text, None) if isinstance(text, str) else text), at) for text in texts)


EVERYTHING = [
    case
    for table in (
        RFC_5322,
        ASCTIME,
        ISO_8601,
        ENGLISH,
        FRENCH,
        OTHER_LANGUAGES,
        ZONES,
        NUMBERS,
        NUMBERS_WITHOUT_SEPARATORS,
        WRAPPED,
        MORE,
    )
    for case in cases(table)
]


@pytest.mark.parametrize(("text", "language", "at"), EVERYTHING)
def test_date_is_read(text, language, at):
    assert read_date(text, NOW, language=language) == at


@pytest.mark.parametrize("text", NOTHING)
def test_text_without_one_meaning_is_not_read(text):
    text, language = (text, None) if isinstance(text, str) else text
    assert read_date(text, NOW, language=language) is None


@pytest.mark.parametrize(
    "text",
    [
        "a" * 9999,
        "1" * 9999,
        "(" * 9999,
        "<" * 9999,
        "&lt;" * 9999,
        "20 Nov 2026 " * 999,
        " " * 9999 + "x",
        "1:" * 5000,
        "20 " * 5000,
        "-" * 9999,
        "a." * 5000,
    ],
)
def test_long_text_takes_no_time(text):
    read_date("20 foo", NOW)  # loads the names
    start = time.process_time()
    assert read_date(text, NOW) is None
    assert time.process_time() - start < 0.1


@given(
    st.text(
        st.sampled_from("0123456789 -:/.,+TZWhapm()<>&;年月日éNovCETGMTJuil\u00a0"), max_size=60
    )
)
def test_any_text_gives_a_plausible_time_or_none(text):
    at = read_date(text, NOW)
    assert at is None or (datetime(1970, 1, 2, tzinfo=UTC) <= at <= NOW and at.tzinfo is UTC)


@pytest.mark.parametrize(
    "language",
    [
        "ca",
        "cs",
        "da",
        "de",
        "el",
        "en",
        "es",
        "fi",
        "fr",
        "hu",
        "it",
        "ja",
        "ko",
        "nb",
        "nl",
        "pl",
        "pt",
        "ro",
        "ru",
        "sv",
        "tr",
        "zh",
    ],
)
def test_dates_that_cldr_writes_are_read(language):
    """In the language itself, and if the feed is declared to be English."""
    for day in (date(2026, month, 20) for month in range(1, 12)):
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for width in ("full", "long", "medium"):
            text = format_date(day, width, locale=language)
            assert read_date(text, NOW, language=language) == at, text
            assert read_date(text, NOW, language="en") in (at, None), text


@pytest.mark.parametrize(
    ("city", "names"),
    [
        ("America/Anchorage", "AKST AKDT"), ("America/Chicago", "CST CDT"), ("America/Denver", "MST MDT"),
        ("America/Halifax", "AST ADT"), ("America/Los_Angeles", "PST PDT"), ("America/New_York", "EST EDT"),
        ("America/St_Johns", "NST NDT"), ("Africa/Johannesburg", "SAST"), ("Africa/Lagos", "WAT"),
        ("Africa/Maputo", "CAT"), ("Africa/Nairobi", "EAT"), ("Asia/Hong_Kong", "HKT"), ("Asia/Jakarta", "WIB"),
        ("Asia/Jayapura", "WIT"), ("Asia/Karachi", "PKT"), ("Asia/Kolkata", "IST"), ("Asia/Makassar", "WITA"),
        ("Asia/Seoul", "KST"), ("Asia/Tokyo", "JST"), ("Australia/Adelaide", "ACST ACDT"),
        ("Australia/Perth", "AWST"), ("Australia/Sydney", "AEST AEDT"), ("Europe/Athens", "EET EEST"),
        ("Europe/Lisbon", "WET WEST"), ("Europe/London", "GMT BST"), ("Europe/Moscow", "MSK"),
        ("Europe/Paris", "CET CEST"), ("Pacific/Auckland", "NZST NZDT"), ("Pacific/Honolulu", "HST"),
    ],
)  # fmt: skip
def test_names_of_zones_agree_with_the_time_zone_database(city, names):
    year = [datetime(2026, month, 1, tzinfo=ZoneInfo(city)) for month in (1, 7)]
    offsets = {at.tzname(): at.utcoffset() for at in year}
    zones = {name: zone_of(name) for name in names.split()}
    assert {name: zone and zone.utcoffset(None) for name, zone in zones.items()} == offsets


def test_neither_clock_nor_locale_nor_zone_of_the_machine_counts(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    time.tzset()
    try:
        for text, language, at in EVERYTHING:
            assert read_date(text, NOW, language=language) == at
    finally:
        monkeypatch.undo()
        time.tzset()


def test_date_at_most_a_day_ahead_is_now():
    assert read_date("2026-12-02T11:00:00Z", NOW) == NOW
    assert read_date("2026-12-02T13:00:00Z", NOW) is None


@pytest.mark.parametrize(
    "language",
    ["x-default", "und", "zz", "fr-ZZ", "a", "-", "", "en-" + "a" * 500, "../..", "root"],
)
def test_any_declared_language_is_accepted(language):
    assert read_date("mar., 07 juil. 2026 10:00:00 +0200", NOW, language=language) == datetime(
        2026, 7, 7, 8, tzinfo=UTC
    )
    assert read_date("20/11/2026", NOW, language=language) == datetime(2026, 11, 20, tzinfo=UTC)


def test_standard_dates_load_no_names():
    program = """
import sys
from datetime import UTC, datetime
from aggregator.text.dates import read_date
for text in sys.argv[1:]:
    assert read_date(text, datetime(2026, 12, 1, tzinfo=UTC)), text
assert not {"babel", "dateutil"} & set(sys.modules)
"""
    texts = [
        "Fri, 20 Nov 2026 10:00:00 +0100",
        "Friday, 20 November 2026 10:00 CET",
        "2026-11-20T10:00:00Z",
    ]
    subprocess.run(
        [sys.executable, "-c", program, *texts],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
