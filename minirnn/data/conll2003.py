"""CoNLL-2003, English: Reuters news of 1996-97 with the names of people, places, organisations and others."""

from minirnn.data import ner_templates
from minirnn.data.registry import DataSet, RemoteFile
from minirnn.data.tagged_sentences import TYPES, TaggedSentences, read_columns, tags_of, write_columns

FILES = {  # part: (file, sha256 and bytes of the unpacked file)
    "train": ("eng.train", "bed631399cb0e859c4b446438ce57dfe0208792ca6106ef11620877355494c3a", 3_281_526),
    "valid": ("eng.testa", "aa83a45b88e4952998156583e2ff5a8be7c1f04fb9efa3a29cd87fac2c883807", 827_010),
    "test": ("eng.testb", "443914daf51328868558859b28252a28caee2fd02b65e77987977d6489246c5f", 748_093),
}
TWIN_SENTENCES = {"train": 2_808, "valid": 650, "test": 690}  # a fifth of the real files


def path_of(part):
    return f"conll2003/{FILES[part][0]}"


def build(contents, origin):
    """The TaggedSentences: 14,041 / 3,250 / 3,453 sentences of 203,621 / 51,362 / 46,435 words."""
    parts = {part: tuple(read_columns(contents[path_of(part)], path_of(part))) for part in FILES}
    return TaggedSentences("conll2003", origin, tags_of(TYPES), **parts)


def twin():
    """Sentences of the set ner-templates in files of the same form."""
    return {
        path_of(part): write_columns(ner_templates.sentences(count, 0, number))
        for number, (part, count) in enumerate(TWIN_SENTENCES.items())
    }


SET = DataSet(
    name="conll2003",
    summary="CoNLL-2003 English: 20,744 news sentences with 35,089 named entities of four types",
    licence="text of Reuters' RCV1; not free: agree to NIST's terms for it, then make the files with the annotation at"
    " https://www.clips.uantwerpen.be/conll2003/ner/; do not pass them on",
    files=tuple(RemoteFile(path_of(part), sha256, size, ()) for part, (_, sha256, size) in FILES.items()),
    build=build,
    twin=twin,
    explains=True,
)
