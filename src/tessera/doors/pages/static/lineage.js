// Arrows of the keyboard go from card to card in the picture.
(() => {
  document.documentElement.classList.add("js");
  addEventListener("keydown", (e) => {
    const here = e.target.closest && e.target.closest(".net a.nd");
    if (!here || !e.key.startsWith("Arrow")) return;
    const place = (a) => [Number(a.dataset.lane), Number(a.dataset.row)];
    const [lane, row] = place(here), all = [...here.closest("svg").querySelectorAll("a.nd")];
    const level = (a) => a.querySelector("rect").getBoundingClientRect().top;
    const along = e.key === "ArrowUp" || e.key === "ArrowDown", step = e.key === "ArrowDown" || e.key === "ArrowRight" ? 1 : -1;
    const next = along ? all.find((a) => place(a)[0] === lane && place(a)[1] === row + step)
      : all.filter((a) => place(a)[0] === lane + step).sort((a, b) => Math.abs(level(a) - level(here)) - Math.abs(level(b) - level(here)))[0];
    e.preventDefault();
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest", inline: "nearest" }); }
  });
  // On a narrow screen the chosen card is what one sees first.
  addEventListener("DOMContentLoaded", () => {
    const card = document.querySelector(".net .chosen"), scroll = card && card.closest(".scroll");
    if (scroll && scroll.scrollWidth > scroll.clientWidth) scroll.scrollLeft = card.getBoundingClientRect().left - scroll.getBoundingClientRect().left - (scroll.clientWidth - 190) / 2;
  });
})();
