"""The stand-in's lists of words."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STOP_WORDS = _words(
    """
    a about above after all also am an and any are as at be been before but by can could did do
    does each for from get give had has have he her here his how i if in into is it its just let
    may me more most my no not of off on one only or other our out over own please she should so
    some such tell than that the their them then there these they this those to too under up us
    use using very was we were what when where which while who whom whose why will with would you
    your answer question tool tools
    """
)
"""Words that tell nothing about a question."""

NO_NAMES = _words(
    """
    add call compare compute convert count create describe explain extract fetch find hello hi
    list look make mention open print read return run say search send show summarise summarize
    translate update write yes
    """
)
"""Words that begin sentences, and are no names when capitalised."""

EXTENSIONS = _words(
    """
    py pyi md mdx txt toml json jsonl yaml yml cfg ini csv tsv ipynb js ts tsx jsx html htm css
    xml pdf png jpg jpeg gif webp svg sh bash c h cc cpp hpp rs go java kt rb php sql lock log env
    rst tex docx xlsx pptx zip tar gz mp4 typed
    """
)
"""What a file's name may end with."""

SIDE_EFFECTS = _words(
    """
    write edit delete remove create update send move rename run execute shell bash python append
    replace post kill insert apply commit install
    """
)
"""Words in the names of tools that change something."""

ASKS_A_NUMBER = _words(
    """
    version number many much count year date cost size
    """
)
"""Words of questions whose answer has digits."""

OVERVIEW = _words(
    """
    project about overview summary describe description purpose goal readme
    """
)
"""Words of questions that a README answers."""

LOOK_UP = _words(
    """
    search grep find query lookup retrieve knowledge
    """
)
"""Words in the names of tools that search, the last resort for a question."""

TOO_COMMON = _words(
    """
    file files folder folders directory directories path list search many much there
    """
)
"""Words not worth a search."""

FOLDER_TOOLS = _words(
    """
    list ls tree dir glob search grep find
    """
)
"""Words in the names of tools whose path is a folder."""

ACTIONS = {
    "read": _words("read open show view content say inside print what which according"),
    "list": _words("list file folder directory structure project repository repo"),
    "ls": _words("list file folder directory structure project repository repo"),
    "search": _words("search find where grep look mention contain define implement occur locate"),
    "grep": _words("search find where grep look mention contain define implement occur locate"),
    "find": _words("search find where look mention contain define locate"),
    "glob": _words("list file match find"),
    "fetch": _words("fetch download page website site"),
    "calculator": _words("calculate compute plus minus times sum"),
    "calculate": _words("calculate compute plus minus times sum"),
    "python": _words("python run compute calculate code execute"),
    "shell": _words("run shell command execute"),
    "bash": _words("run shell command execute"),
}
"""What people say when they want a tool with this word in its name."""

SYNONYMS = (
    _words("support require need compatible"),
    _words("version release"),
    _words("licence license"),
    _words("author maintainer"),
    _words("dependency depend require"),
    _words("purpose description goal about"),
    _words("name title"),
)
"""Words that answer for each other."""

PURPOSES = (
    ("glob", _words("glob")),
    ("file", _words("path file filename filepath document")),
    ("folder", _words("folder directory dir root cwd")),
    ("url", _words("url uri link href")),
    ("e_mail", _words("email mail")),
    ("date", _words("date day")),
    ("place", _words("city location place country town region")),
    ("name", _words("name person author company customer title user")),
    ("expression", _words("expression formula equation")),
    ("code", _words("code command script cmd")),
    ("pattern", _words("pattern regex regexp needle")),
    ("query", _words("query search keyword term topic q")),
)
"""What a string parameter is for, by the words of its name; the first that fits."""
