"""Music out of the page and into it: a file that is dragged, MIDI ports to play on and to play from."""

import pytest

from musae_tf.music import Song
from tests.studio.hand import Hand, result, saved

PORTS = """
class Port extends EventTarget {
  constructor(id, name) { super(); Object.assign(this, { id, name, state: "connected", sent: [] }); }
  send(bytes, when) {
    if (this.state !== "connected") throw new DOMException("The port is disconnected.", "InvalidStateError");
    this.sent.push([[...bytes], when, performance.now()]);
  }
  play(when, ...bytes) { this.onmidimessage?.({ data: new Uint8Array(bytes), timeStamp: when }); }
}
const only = (port) => new Map([[port.id, port]]);
window.loop = { inputs: only(new Port("in", "Keys")), outputs: only(new Port("out", "Rack")) };
navigator.requestMIDIAccess = async () => window.loop;
"""
"""Ports of the interface of Web MIDI, since this machine has none."""


@pytest.fixture
def hand(studio, open_page):
    with open_page(studio.url, accept_downloads=True) as page:
        page.add_init_script(PORTS)
        page.reload()
        yield Hand(page, "mouse")


def sent(page) -> list[tuple[list[int], float, float]]:
    """Messages in the order in which they were sent, with the milliseconds at which each is due and was sent."""
    return page.evaluate("loop.outputs.get('out').sent")


def sampled_to_a_port(hand: Hand, genres) -> None:
    """A sample that is stopped, and what is played from now on goes to the port."""
    page = hand.page
    hand.button("Sample")
    result(page, f"{genres[0]}, 8 bars, seed 1")
    hand.button("Stop")
    hand.button("Send to a MIDI port")
    page.locator("select:focus").wait_for()  # the keyboard goes on where the button was
    page.get_by_role("combobox", name="Sound").select_option("Rack")


def test_the_file_can_be_dragged_out(hand, genres):
    page = hand.page
    hand.button("Sample")
    result(page, f"{genres[0]}, 8 bars, seed 1")
    carried = page.get_by_role("link", name="MIDI", exact=True).evaluate(
        """(link) => { const event = new DragEvent("dragstart", { bubbles: true, dataTransfer: new DataTransfer() });
        link.dispatchEvent(event);
        return ["DownloadURL", "text/uri-list"].map((kind) => event.dataTransfer.getData(kind)); }"""
    )
    kind, name, url = carried[0].split(":", 2)
    assert (kind, url) == ("audio/midi", carried[1])
    assert name.endswith(".mid")
    data = page.evaluate("async (url) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())]", url)
    assert Song.read(bytes(data)).tracks


def test_a_port_plays_what_is_seen_and_falls_silent_with_it(hand, genres, tmp_path):
    page = hand.page
    sampled_to_a_port(hand, genres)
    page.get_by_label("Seed", exact=True).fill("2")
    hand.button("Sample")
    result(page, f"{genres[0]}, 8 bars, seed 2")
    page.wait_for_function("loop.outputs.get('out').sent.filter(([bytes]) => bytes[0] >> 4 === 9).length >= 8")
    assert page.evaluate("document.querySelector('audio').muted")
    hand.button("Stop")
    page.wait_for_function("loop.outputs.get('out').sent.some(([bytes]) => bytes[0] >> 4 === 11 && bytes[1] === 123)")
    messages = sent(page)
    song = Song.read(saved(page, "MIDI", tmp_path))
    written = sorted(
        (round(float(song.seconds_at(note["start"])), 3), number, int(note["pitch"]), int(note["velocity"]))
        for number, track in enumerate(song.tracks)
        for note in track.notes
    )
    begun = [(bytes_[0] & 15, bytes_[1], bytes_[2]) for bytes_, *_ in messages if bytes_[0] >> 4 == 9]
    # On a busy machine the first notes may have ended before the page plays.
    rest = (written[first : first + len(begun)] for first in range(8))
    assert any(sorted(begun) == sorted(row[1:] for row in rows) for rows in rest), (begun, written)
    times = [when for bytes_, when, _ in messages if bytes_[0] >> 4 == 9]
    assert times == sorted(times)
    assert all(when - now <= 150 for bytes_, when, now in messages if bytes_[0] >> 4 == 9)
    programs = {bytes_[0] & 15: bytes_[1] for bytes_, *_ in messages if bytes_[0] >> 4 == 12}
    assert programs == {number: track.program for number, track in enumerate(song.tracks)}
    last = {}
    for (status, pitch, *_), when, _ in sorted(messages, key=lambda row: row[1]):
        if status >> 4 in (8, 9):
            last[status & 15, pitch] = (status >> 4, when)
    assert {kind for kind, _ in last.values()} == {8}, "every note has ended"


def test_a_port_follows_the_position_and_may_go(hand, genres):
    page = hand.page
    sampled_to_a_port(hand, genres)
    hand.button("Play")
    # To the next bar just when a note has been sent that is to begin later.
    page.evaluate(
        """() => { const port = loop.outputs.get("out"), send = port.send;
        port.send = (bytes, when) => {
          send.call(port, bytes, when);
          if (loop.moved !== undefined || bytes[0] >> 4 !== 9 || when < performance.now() + 50) return;
          loop.moved = port.sent.length;
          document.querySelector(".roll").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        }; }"""
    )
    page.wait_for_function(
        """() => { const after = loop.outputs.get("out").sent.slice(loop.moved ?? 1e9).map(([bytes]) => bytes[0] >> 4);
        return after.includes(11) && after.lastIndexOf(9) > after.indexOf(11); }"""
    )
    messages = sent(page)[page.evaluate("loop.moved") :]
    ended = [(when, now) for bytes_, when, now in messages if bytes_[0] >> 4 == 11]
    assert all(when <= now for when, now in ended), "what begins at the new position would end with the old"
    page.evaluate("""() => { loop.outputs.get("out").state = "disconnected"; loop.onstatechange(); }""")
    page.get_by_text("The MIDI port has gone").wait_for()
    assert not page.evaluate("document.querySelector('audio').muted")


def test_what_is_played_on_a_port_becomes_a_piece(hand):
    page = hand.page
    hand.tab("Change")
    hand.button("Record from MIDI")
    page.locator("select:focus").wait_for()
    page.get_by_role("spinbutton", name="Beats a minute").fill("300")
    # Sound that is heard late, by as much as the test says: the first click at the millisecond `zero`.
    zero = page.evaluate(
        """() => { const zero = performance.now() + 730;
        AudioContext.prototype.getOutputTimestamp = () => ({ contextTime: 0.5, performanceTime: zero + 500 });
        return zero; }"""
    )
    hand.button("Record")
    page.get_by_text("Recording: play to the click.").wait_for()
    beats = [2.1, 3, 4, 5, 6, 7.5, 8, 9]  # the first one a little late
    pitches = [60, 62, 64, 65, 67, 69, 71, 72]
    for number, (beat, pitch) in enumerate(zip(beats, pitches, strict=True)):
        page.evaluate(
            """([begin, end, pitch, velocity, off]) => { const port = loop.inputs.get("in");
            port.play(begin, 0x90, pitch, velocity); port.play(end, off, pitch, 0); }""",
            [zero + beat * 200, zero + beat * 200 + 50, pitch, 80 + number, 0x90 if number % 2 else 0x80],
        )
    with page.expect_request("**/pieces") as request:
        hand.button("Stop")
    page.get_by_text("8 notes at 300 beats a minute.").wait_for()
    song = Song.read(request.value.post_data_buffer)
    (track,) = song.tracks
    assert track.notes["pitch"].tolist() == pitches
    assert track.notes["velocity"].tolist() == list(range(80, 88))
    quarter = song.ticks_per_quarter
    assert track.notes["start"] / quarter == pytest.approx([beat - 2 for beat in beats], abs=0.01)
    assert track.notes["duration"] / quarter == pytest.approx([0.25] * 8, abs=0.01)
    assert song.tempos[0].bpm == pytest.approx(300, abs=0.1)
    page.get_by_text("recorded.mid").first.wait_for()


def test_without_ports_a_sentence_says_why(studio, open_page, genres):
    with open_page(studio.url, accept_downloads=True) as page:
        page.add_init_script("delete Navigator.prototype.requestMIDIAccess")
        page.reload()
        hand = Hand(page, "mouse")
        hand.tab("Change")
        hand.button("Record from MIDI")
        page.get_by_text("This browser has no Web MIDI").first.wait_for()
        hand.tab("Sample")
        hand.button("Sample")
        result(page, f"{genres[0]}, 8 bars, seed 1")
        hand.button("Send to a MIDI port")
        page.get_by_role("group", name="MIDI port").get_by_text("This browser has no Web MIDI").wait_for()
