module github.com/temporal-asteroid/asteroid/cmd

go 1.26.8

require github.com/temporal-asteroid/asteroid v0.0.0

replace github.com/temporal-asteroid/asteroid => ../
