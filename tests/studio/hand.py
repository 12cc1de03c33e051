"""How tests use a page: by mouse or by keyboard, and what they wait for and take from it."""


class Hand:
    """Uses a page by mouse or by keyboard alone."""

    def __init__(self, page, kind: str):
        self.page, self.keys = page, kind == "keyboard"

    def press(self, target, key: str = "Enter") -> None:
        if self.keys:
            target.focus()
            self.page.keyboard.press(key)
        else:
            target.click()

    def button(self, name: str) -> None:
        self.press(self.page.get_by_role("button", name=name, exact=True))

    def tab(self, name: str) -> None:
        self.press(self.page.get_by_role("tab", name=name))

    def choose(self, label: str, option: str) -> None:
        field = self.page.get_by_role("combobox", name=label)
        if self.keys:
            field.focus()
            self.page.keyboard.press("Enter")
            self.page.get_by_role("option").first.wait_for()
            for _ in range(10):
                active = field.get_attribute("aria-activedescendant")
                if active and self.page.locator(f"[id='{active}']").inner_text().strip() == option:
                    break
                self.page.keyboard.press("ArrowDown")
            self.page.keyboard.press("Enter")
        else:
            field.click()
            self.page.get_by_role("option", name=option).click()

    def slide(self, label: str, steps: int, of: int) -> None:
        """Move a slider of `of` steps from its left end or its middle."""
        slider = self.page.get_by_role("slider", name=label)
        if self.keys:
            slider.focus()
            for _ in range(abs(steps)):
                self.page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")
        else:
            box = slider.bounding_box()
            low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
            at = (float(slider.input_value()) - low) / (high - low) + steps / of
            # The middle of the thumb stays inside: it is 16 pixels wide.
            slider.click(position={"x": 8 + at * (box["width"] - 16), "y": box["height"] / 2})

    def bring(self, label: str, path) -> None:
        field = self.page.get_by_label(label, exact=True)
        if self.keys:
            with self.page.expect_file_chooser() as chooser:
                self.press(field)
            chooser.value.set_files(path)
        else:
            data = self.page.evaluate_handle(
                """([bytes, name]) => { const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], name)); return data; }""",
                [list(path.read_bytes()), path.name],
            )
            zone = self.page.locator("label.drop").filter(has=field)
            zone.dispatch_event("dragover", {"dataTransfer": data})
            zone.dispatch_event("drop", {"dataTransfer": data})


def result(page, title: str):
    """Wait until a result is there."""
    page.get_by_role("heading", name=title, exact=True).wait_for()


def saved(page, kind: str, tmp_path):
    with page.expect_download() as download:
        page.get_by_role("link", name=kind, exact=True).click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path
