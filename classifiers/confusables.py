"""Letters that look like Latin ones, by hand: what people write to get past a word list.

Full-width, circled and mathematical letters become Latin by compatibility decomposition (NFKD) and do not stand here. Where only
one case of a letter is listed, the other goes the same way; Greek capital eta looks like H and the small one like n, so both are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_LOOKS: Mapping[str, str] = {
    # Cyrillic, Greek, Armenian, Cherokee, Lisu, Coptic, small capitals, IPA, letters with strokes and hooks, Canadian syllabics
    "A": "АΑᎪᗅꓮᗩⲀ",
    "B": "ВΒᏴᗷꓐᏰⲂɃƁ",
    "C": "СϹᏟꓚᑕⲤƇȻ",
    "D": "ᎠᗞᗪꓓĐƉƊÐ",
    "E": "ЕΕᎬꓰⴹⲈƐ",
    "F": "ᖴꓝϜƑ",
    "G": "ԌᏀᏳꓖƓǤ",
    "H": "НΗᎻᕼꓧⲎĦ",
    "I": "ІΙӀᏆꓲⲒƗⵏ",
    "J": "ЈᎫᒍꓙͿɈ",
    "K": "КΚᏦꓗⲔƘ",
    "L": "ᏞᒪꓡⳐŁȽ",
    "M": "МΜᎷᗰꓟⲘϺ",
    "N": "ΝꓠᑎⲚƝ",
    "O": "ОΟՕꓳⲞØƟ",
    "P": "РΡᏢᑭꓑⲢƤ",
    "Q": "Ԛⵕᑫ",
    "R": "ᎡᏒᖇꓣƦɌ",
    "S": "ЅՏᏕꓢᔕ",
    "T": "ТΤᎢꓔⲦŦƬ",
    "U": "ՍᑌꓴɄ",
    "V": "ѴᏙᐯꓦ",
    "W": "ԜᎳᗯꓪ",
    "X": "ХΧꓫ᙭ⲬꞳ",
    "Y": "УΥҮꓬⲨƳɎ",
    "Z": "ΖᏃꓜᘔⲌƵ",
    "a": "аɑαᴀⲁ⍺",
    "b": "вьЬβƀɓʙᏏⲃƅ",
    "c": "сϲᴄⲥƈȼꮯ",
    "d": "ԁɗđɖᴅꓒð",
    "e": "еєҽεᴇⲉɛ℮ɇ",
    "f": "ꜰƒꞙϝ",
    "g": "ɡցɢɠǥԍ",
    "h": "һнհʜħɦⲏ",
    "i": "іıɩιɪⲓɨӏ",
    "j": "јϳȷᴊʝɉ",
    "k": "кκᴋƙⲕ",
    "l": "ʟłƚɫɭ",
    "m": "мᴍɱⲙ",
    "n": "пПոռɴɲƞηⲛ",
    "o": "оοσօᴏⲟøɵ",
    "p": "рρᴘⲣƥϱ",
    "q": "ԛզգɋ",
    "r": "гГᴦʀɾɽⲅɍ",
    "s": "ѕꜱʂƽ",
    "t": "тτᴛⲧŧƭʈ",
    "u": "υսᴜʋʉ",
    "v": "ѵνᴠ",
    "w": "ԝшωᴡѡ",
    "x": "хχⲭ",
    "y": "уγүʏყƴɏⲩ",
    "z": "ᴢʐƶⲍʑ",
    " ": "\u2800",
}

_LIGATURES: Mapping[str, str] = {"Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "ᴂ": "ae", "ꜳ": "aa"}

_LETTER_RUNS = (0x1F150, 0x1F170, 0x1F1E6)
"""Where A to Z stand without a decomposition: white on black circles, white on black squares, flag letters."""


def look_alikes() -> dict[str, str]:
    """Each look-alike and the Latin letter (or two) it looks like."""
    listed = dict(_pairs())
    other_case = {letter.swapcase(): latin.swapcase() for letter, latin in listed.items() if len(letter.swapcase()) == 1}
    return {letter: latin for letter, latin in other_case.items() if not letter.isascii()} | listed


def _pairs() -> Iterator[tuple[str, str]]:
    yield from _LIGATURES.items()
    for latin, others in _LOOKS.items():
        for other in others:
            yield other, latin
    for first in _LETTER_RUNS:
        for step in range(26):
            yield chr(first + step), chr(ord("A") + step)
