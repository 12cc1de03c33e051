"""Small MusicXML and kern documents written in code."""

import io
import zipfile

CONTAINER = '<container><rootfiles><rootfile full-path="{}"/></rootfiles></container>'


def note(
    pitch: str, duration: object, *, kind: str | None = None, tie: str = "", extra: str = "", first: str = ""
) -> str:
    """A <note>; pitch as C4, F#5 or Bb3; `tie` holds start and/or stop; `first` goes before the pitch (a chord)."""
    step, alter, octave = pitch[0], {"#": 1, "b": -1}.get(pitch[1:-1], 0), pitch[-1]
    ties = "".join(f'<tie type="{end}"/>' for end in tie.split())
    kind = f"<type>{kind}</type>" if kind else ""
    return (
        f"<note>{first}<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
        f"<duration>{duration}</duration>{ties}{kind}{extra}</note>"
    )


def line(pitches: str, duration: object = 1) -> str:
    """Notes of one duration; `r` is a rest."""
    return "".join(rest(duration) if p == "r" else note(p, duration) for p in pitches.split())


def rest(duration: object) -> str:
    return f"<note><rest/><duration>{duration}</duration></note>"


def move(tag: str, duration: object) -> str:
    return f"<{tag}><duration>{duration}</duration></{tag}>"


def attributes(divisions: object = 1, metre: str | None = "4/4", extra: str = "") -> str:
    time = ""
    if metre:
        beats, unit = metre.split("/")
        time = f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    return f"<attributes><divisions>{divisions}</divisions>{time}{extra}</attributes>"


def musicxml(parts: dict[str, list[str]], head: str = "") -> bytes:
    """A score of parts by name, each a list of the contents of its measures, in quarters of one division and 4/4.

    A part whose first measure brings its own <attributes> gets no others.
    """
    names, bodies = "", ""
    for index, (name, measures) in enumerate(parts.items()):
        names += f'<score-part id="P{index}"><part-name>{name}</part-name></score-part>'
        start = "" if measures and measures[0].startswith("<attributes>") else attributes()
        body = "".join(f"<measure>{start if i == 0 else ''}{m}</measure>" for i, m in enumerate(measures))
        bodies += f'<part id="P{index}">{body}</part>'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><score-partwise>{head}<part-list>{names}</part-list>{bodies}'
        "</score-partwise>"
    ).encode()


def mxl(members: dict[str, bytes], container: str | None = None) -> bytes:
    """A compressed score of these members; `container` is the name that META-INF/container.xml points at."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        if container:
            archive.writestr("META-INF/container.xml", CONTAINER.format(container))
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def quartet(*measures: str, names: str = "Soprano Alto Tenor Bass") -> bytes:
    """A score in which every part plays the same measures."""
    return musicxml({name: list(measures) for name in names.split()})


def kern(*lines: str) -> bytes:
    """A kern document; columns are separated by blanks here and by tabs in the file."""
    return "\n".join(line if line.startswith("!!") else "\t".join(line.split()) for line in lines).encode() + b"\n"
