"""Word lists for names and places that nobody has: the demo's and those that stand in for imported people."""

FIRST_NAMES = (  # noqa: SIM905
    "Ada Alba Alma Amir Anouk Aria Arlo Asha Bela Bruno Cala Caro Cato Dara Dario Delia Edda Eero Elio Elsa Emil Enzo "
    "Esra Fay Femi Fleur Gala Gero Hana Hedda Hugo Ida Ilya Imre Inga Iris Ivo Jara Jonas Juno Kai Kalle Kira Lale "
    "Lars Lena Leo Lila Linus Luca Mila Milo Mina Nadia Nico Nora Odin Oona Orla Otto Pia Quinn Rafa Remy Rhea Rosa "
    "Rune Sami Selma Signe Silas Taro Tess Tilda Timo Uma Vera Vito Wanda Yara Yuki Zeno Zora"
).split()
LAST_NAMES = (  # noqa: SIM905
    "Abend Alder Ashby Barlow Beck Birch Blythe Brook Calder Carver Cole Corbin Dahl Dale Draper Eastman Elder Fairlie "
    "Falk Fenn Field Flint Frost Gale Glover Grove Hale Harlow Heath Holm Hurst Ivers Jessop Keel Kestrel Lark Linden "
    "Locke Lund Marlow Marsh Mercer Moss Nash North Oakes Orchard Pike Quill Rand Reed Ridley Rowan Sable Sayer Shaw "
    "Sloan Stone Summers Tarn Thorne Vale Vance Ward Weller West Wilde Wren Yardley York"
).split()
