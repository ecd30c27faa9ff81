const box = document.getElementById("filter");
const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[_-]/g, " ");
box.hidden = false;
box.querySelector("input").addEventListener("input", (event) => {
  const wanted = plain(event.target.value.replace(/^#/, "")).trim();
  for (const item of document.querySelectorAll(".tags li")) {
    item.hidden = !plain(item.firstElementChild.textContent).includes(wanted);
  }
});
