"""How the parts that are made up sound in each genre: rhythms, and what the strings do.

Rhythms are written in sixteenths, a bar long: `x` strikes, `-` goes on, `.` is silent.
"""

from typing import NamedTuple

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
BLUES = (0, 3, 5, 6, 7, 10)
FIVE = (0, 2, 4, 7, 9)


class Style(NamedTuple):
    """Rhythms of each part.

    `strings` says how often the strings hold chords, play a melody, strike chords together or break them; the
    rhythms of the last three follow. `scales` are of melodies in major and minor keys.
    """

    bass: tuple[str, ...]
    comping: tuple[str, ...]
    strings: tuple[float, float, float, float]
    melodies: tuple[str, ...]
    stabs: tuple[str, ...] = ("x.....x.........", "........x..x....", "x...............")
    broken: tuple[str, ...] = ("x-x-x-x-x-x-x-x-", "x---x---x---x---")
    scales: tuple[tuple[int, ...], tuple[int, ...]] = (MAJOR, MINOR)


STYLES = {
    "ballad": Style(
        bass=("x-----x-x-------", "x-------x-------"),
        comping=("x---x---x---x---", "x-------x-------"),
        strings=(0.6, 0.3, 0.0, 0.1),
        melodies=("x-------x---x---", "x-----------x---", "x---------------", "x-------x-------"),
    ),
    "blues": Style(
        bass=("x---x---x---x---", "x-x-x-x-x-x-x-x-"),
        comping=("....x-......x-..", "x-....x-........", "x---x-x-x---x-x-"),
        strings=(0.1, 0.5, 0.4, 0.0),
        melodies=("..x-x-x-x-......", "x-x-x---........", "........x-x-x---", "x-x-x-x-x-......"),
        stabs=("......x-....x-..", "x-....x-........", "....x-......x-.."),
        scales=(BLUES, BLUES),
    ),
    "bossa_samba": Style(
        bass=("x-----x-x-----x-",),
        comping=("x-..x-....x-..x-", "..x-..x-..x-x-..", "x-....x-....x-.."),
        strings=(0.45, 0.45, 0.0, 0.1),
        melodies=("x-----x---x-----", "..x---x---x-----", "x-----x---------", "....x-..x-..x---"),
    ),
    "country_folk": Style(
        bass=("x-------x-------",),
        comping=("....x-......x-..", "....x-x-....x-x-"),
        strings=(0.15, 0.55, 0.0, 0.3),
        melodies=("x-x-x-x-x---x---", "x---x-x-x-x-x---", "x-x-x---x-x-x---"),
        broken=("x-x-x-x-x-x-x-x-", "x-xxx-xxx-xxx-xx"),
        scales=(FIVE, MINOR),
    ),
    "dance": Style(
        bass=("..x-..x-..x-..x-", "x-x-x-x-x-x-x-x-", "..xx..xx..xx..xx"),
        comping=("..x-..x-..x-..x-", "x--x--x-x--x--x-"),
        strings=(0.3, 0.2, 0.2, 0.3),
        melodies=("x--x--x-x--x--x-", "x-----x---x-----", "x--x--x---------"),
        stabs=("x--x--x---------", "..x-..x-..x-..x-", "x-----x-....x---"),
        broken=("xxxxxxxxxxxxxxxx", "x-x-x-x-x-x-x-x-", "x-xxx-xxx-xxx-xx"),
    ),
    "funk_soul": Style(
        bass=("x--x--x-..x-..x-", "x-..x-.x..x-x-..", "x-.x..x---.x..x-"),
        comping=("..x...x..x....x.", "x..x..x.....x...", "....x..x....x..x"),
        strings=(0.2, 0.2, 0.6, 0.0),
        melodies=("x..x..x.........", "..x-.x..x---....", "x-.x..x---......"),
        stabs=("......x.x.......", "x..x............", "..........x..x..", "x..x..x........."),
    ),
    "hardrock": Style(
        bass=("x-x-x-x-x-x-x-x-", "xxxxxxxxxxxxxxxx"),
        comping=("x-x-x-x-x-x-x-x-", "x-xxx-xxx-xxx-xx"),
        strings=(0.6, 0.25, 0.0, 0.15),
        melodies=("x---x---x---x---", "x-------x-x-x---", "x-------x-------"),
        scales=(FIVE, MINOR),
    ),
    "jazz": Style(
        bass=("x---x---x---x---",),
        comping=("x-....x-........", "......x-......x-", "....x-....x-....", "......x-..x-...."),
        strings=(0.15, 0.5, 0.35, 0.0),
        melodies=("x-x-x-x-x-x-x-x-", "..x-x-x-x---....", "x-x-x-..x-x-x---", "......x-x-x-x---"),
        stabs=("x-....x-........", "......x-......x-", "....x-........x-"),
    ),
    "latin": Style(
        bass=("x-----x-....x---", "......x-....x---"),
        comping=("x-x-.x-x.x-x.x-x", "x-..x-.x..x-x-..", "x-x-x-.x.x-x.x-x"),
        strings=(0.15, 0.3, 0.5, 0.05),
        melodies=("x--x--x---x-x---", "..x-..x-x---....", "x-----x---x-x---"),
        stabs=("x-....x-....x-..", "..x-..x-......xx", "x--x--x---x-x---"),
    ),
    "march_polka": Style(
        bass=("x-------x-------",),
        comping=("....x-......x-..",),
        strings=(0.05, 0.75, 0.1, 0.1),
        melodies=("x---x---x-x-x---", "x--xx---x--xx---", "x---x---x-------", "x-x-x-x-x---x---"),
    ),
    "oldtime": Style(
        bass=("x-------x-------",),
        comping=("....x-......x-..", "x---x---x---x---"),
        strings=(0.2, 0.6, 0.2, 0.0),
        melodies=("x--xx--xx-------", "x---x-x-x---x---", "x-------x---x---", "..x-x-x-x-------"),
        stabs=("....x-......x-..", "x-....x-x-......"),
    ),
    "pop": Style(
        bass=("x-----x-x-----x-", "x-x-x-x-x-x-x-x-", "x---------x-x---"),
        comping=("x-x-x-x-x-x-x-x-", "x---x---x---x---", "x--x--x-x--x--x-"),
        strings=(0.5, 0.25, 0.05, 0.2),
        melodies=("x-----x-x-------", "x-------x---x---", "..x-x-x-x-------"),
    ),
    "rock": Style(
        bass=("x-x-x-x-x-x-x-x-", "x-----x-x-------", "x--x----x--x----"),
        comping=("x-x-x-x-x-x-x-x-", "x-----x---x-----", "x--x..x...x.x..."),
        strings=(0.45, 0.35, 0.1, 0.1),
        melodies=("x-------x-------", "x---x---x-------", "x-----x-x-------"),
        scales=(FIVE, MINOR),
    ),
    "rocknroll": Style(
        bass=("x---x---x---x---",),
        comping=("x-x-x-x-x-x-x-x-", "....x-......x-..", "x-x-..x-x-x-..x-"),
        strings=(0.1, 0.45, 0.4, 0.05),
        melodies=("x-x-x-x-x---....", "x---x-x-x-x-....", "..x-x-x-..x-x-x-"),
        stabs=("x.....x.x.......", "..x...x...x...x.", "x-x-..x-........"),
        scales=(FIVE, BLUES),
    ),
}
"""By name of the fourteen genres."""
