"""One script per figure: `load(inputs)`, `draw(figure, record)`, `numbers(record)`.

`figures/catalogue.toml` names them; `figures.building.build` runs them.
"""
