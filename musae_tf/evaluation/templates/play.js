// One sound at a time: a button plays its own and stops the one before.
"use strict";
let current = null;
function stop() {
  if (!current) return;
  current.audio.pause();
  current.audio.currentTime = 0;
  current.button.classList.remove("playing");
  current = null;
}
for (const button of document.querySelectorAll("figcaption button")) {
  const audio = button.parentElement.querySelector("audio");
  button.addEventListener("click", () => {
    const again = current && current.button === button;
    stop();
    if (again) return;
    current = { audio, button };
    button.classList.add("playing");
    audio.play();
  });
  audio.addEventListener("ended", stop);
}
